"""Values stored and given back, as their reader wants them."""

import math
import threading
from collections import Counter, OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from polars.testing import assert_frame_equal

from ciranda.runtime import codecs, sources, tables
from ciranda.runtime.kept import Kept

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=10,
)
FRAME = pl.DataFrame({"id": [1, 2, None], "name": ["a", None, "ç"], "when": [None, None, None]})


def stored(value: Any, folder: Path, wanted: str = "") -> tuple[str, Any]:
    """The codec and what was stored: bytes, or the path."""
    codec, data = codecs.dump(value, folder / "out", wanted)
    return codec, data if data is not None else folder / "out"


def through(value: Any, folder: Path, wanted: str = "") -> tuple[str, Any]:
    """The codec of a value, and the value as a reader gets it, from bytes and from a file."""
    codec, source = stored(value, folder)
    if isinstance(source, bytes):
        (folder / "copy").write_bytes(source)
        from_file = codecs.load(folder / "copy", codec, wanted)
        assert type(from_file) is type(codecs.load(source, codec, wanted))
        return codec, from_file
    return codec, codecs.load(source, codec, wanted)


@given(value=JSON.filter(lambda value: value is not None))
def test_json_text_and_numbers_come_back_equal_and_of_the_same_type(
    tmp_path_factory: pytest.TempPathFactory, value: Any
) -> None:
    folder = tmp_path_factory.mktemp("json")
    codec, found = through(value, folder)
    assert codec == ("text" if isinstance(value, str) else "json")
    assert (found, type(found)) == (value, type(value))


@given(value=st.binary())
def test_bytes_come_back(tmp_path_factory: pytest.TempPathFactory, value: bytes) -> None:
    assert through(value, tmp_path_factory.mktemp("bytes")) == ("bytes", value)


@settings(deadline=None)
@given(value=arrays.arrays(st.sampled_from(["f8", "i4", "?", "U3", "M8[s]"]), arrays.array_shapes(max_dims=3)))
def test_arrays_come_back(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    codec, found = through(value, tmp_path_factory.mktemp("npy"))
    assert codec == "npy"
    np.testing.assert_array_equal(found, value)
    assert found.dtype == value.dtype


@pytest.mark.parametrize(
    "value",
    [
        (1, 2),
        {"model": (1, 2)},
        {1: "a"},
        {"x": math.nan},
        OrderedDict(a=1),
        Counter("abc"),
        np.array([{"a": 1}, None]),
        pd.Series([1, 2]),
        pd.DataFrame({1: [2]}),
        pd.DataFrame({"mixed": [1, "a", (1, 2)]}),
    ],
)
def test_what_json_npy_and_parquet_would_change_is_pickled(tmp_path: Path, value: Any) -> None:
    codec, found = through(value, tmp_path)
    assert codec == "pickle"
    assert type(found) is type(value)
    assert str(found) == str(value)


@pytest.mark.parametrize("value", [FRAME, FRAME.lazy(), FRAME.to_pandas(), FRAME.to_arrow()])
@pytest.mark.parametrize(
    ("wanted", "kind"), [(kind, kind) for kind in tables.TYPES] + [("", tables.POLARS), ("app.Thing", tables.POLARS)]
)
def test_any_table_is_read_as_any_table(tmp_path: Path, value: Any, wanted: str, kind: str) -> None:
    codec, found = through(value, tmp_path, wanted)
    assert (codec, tables.kind(found)) == ("parquet", kind)
    frame = found.collect() if kind == tables.LAZY else found if kind == tables.POLARS else pl.DataFrame(found)
    assert_frame_equal(frame.select("id", "name"), FRAME.select("id", "name"), check_dtypes=False)


@pytest.mark.parametrize("make", [lambda n: pl.DataFrame({"a": range(n), "b": [str(i % 97) for i in range(n)]})])
@pytest.mark.parametrize("rows", [10, 200_000])
@pytest.mark.parametrize("convert", [lambda f: f, lambda f: f.lazy(), lambda f: f.to_pandas(), lambda f: f.to_arrow()])
def test_the_same_table_becomes_the_same_bytes(tmp_path: Path, make: Any, rows: int, convert: Any) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _, source = stored(convert(make(rows)), tmp_path / name)
        found.append(source if isinstance(source, bytes) else source.read_bytes())
    assert found[0] == found[1]


def test_large_values_are_written_and_small_ones_are_not(tmp_path: Path) -> None:
    for number, (value, codec) in enumerate([(np.zeros(100_000), "npy"), ({(1,): b"x" * 100_000}, "pickle")]):
        place = tmp_path / str(number)
        place.mkdir()
        assert stored(value, place) == (codec, place / "out")
        assert str(codecs.load(place / "out", codec)) == str(value)
    assert not isinstance(stored(np.zeros(10), tmp_path)[1], Path)


def test_paths_are_moved_from_beside_and_copied_from_elsewhere(tmp_path: Path) -> None:
    outside, beside = tmp_path / "outside", tmp_path / "run" / "scratch"
    for place in (outside, beside):
        (place / "folder").mkdir(parents=True)
        (place / "folder" / "a").write_text("a")
        (place / "file").write_text("f")
    run = tmp_path / "run"
    assert codecs.dump(outside / "file", run / "1") == ("file", None)
    assert codecs.dump(beside / "file", run / "2") == ("file", None)
    assert codecs.dump(outside / "folder", run / "3") == ("folder", None)
    assert codecs.dump(beside / "folder", run / "4") == ("folder", None)
    assert codecs.dump(str(outside / "file"), run / "5", "pathlib.Path") == ("file", None)
    assert [(outside / "file").exists(), (beside / "file").exists()] == [True, False]
    assert [(outside / "folder").exists(), (beside / "folder").exists()] == [True, False]
    assert codecs.load(run / "2", "file") == run / "2"
    assert codecs.load(run / "2", "file", "bytes") == b"f"
    assert codecs.load(run / "2", "file", "str") == "f"
    assert (codecs.load(run / "4", "folder", "pathlib.Path") / "a").read_text() == "a"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "None"),
        (threading.Lock(), "a _thread.lock, which cannot be pickled"),
        ((number for number in ()), "a generator, which cannot be pickled"),
        (lambda: 1, "a function, which cannot be pickled"),
        (Path("/nowhere/at/all"), "the path /nowhere/at/all, where there is nothing"),
    ],
)
def test_what_cannot_be_stored_is_named(tmp_path: Path, value: Any, says: str) -> None:
    with pytest.raises(codecs.Unstorable, match=says):
        codecs.dump(value, tmp_path / "out")
    assert not isinstance(value, Path) or not (tmp_path / "out").exists()


def test_the_readers_annotation_decides(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("[1]")
    assert codecs.load(tmp_path / "t", "json", "pathlib.Path") == tmp_path / "t"
    assert codecs.load(tmp_path / "t", "json", "str") == "[1]"
    assert codecs.load(b"[1]", "json", "bytes") == b"[1]"
    assert codecs.load(b"abc", "text", "bytes") == b"abc"
    assert codecs.load(b"abc", "bytes", "str") == "abc"
    with pytest.raises(codecs.Unloadable, match="no codec is named 'unknown' here"):
        codecs.load(b"", "unknown")


def test_a_distribution_adds_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path / "site"
    information = site / "thirdparty-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: thirdparty\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[ciranda.codecs]\ncurve = thirdparty:CODEC\n")
    (site / "thirdparty.py").write_text(
        "from ciranda.runtime.codecs import Codec\n"
        "class Curve:\n    def __init__(self, text): self.text = text\n"
        "def dump(value, path): path.write_text(value.text)\n"
        "def load(source, wanted): return Curve(source.decode() if isinstance(source, bytes) else source.read_text())\n"
        "CODEC = Codec('curve', ('thirdparty.Curve',), dump, load)\n"
    )
    monkeypatch.syspath_prepend(site)
    import thirdparty  # type: ignore[import-not-found]

    codec, source = stored(thirdparty.Curve("hello"), tmp_path)
    assert (codec, source) == ("curve", tmp_path / "out")
    assert codecs.load(source, "curve").text == "hello"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "source"
    (made / "data").mkdir(parents=True)
    (made / "data" / "b.csv").write_text("id,x\n3,2.5\n")
    (made / "data" / "a.csv").write_text("id,x\n1,1\n2,2\n")
    return made


@pytest.mark.parametrize("wanted", ["", *tables.TYPES])
def test_sources_are_read_in_the_order_of_their_names(folder: Path, wanted: str) -> None:
    found = codecs.load(folder, "files", wanted)
    assert tables.kind(found) == (wanted or tables.POLARS)
    frame = found.collect() if wanted == tables.LAZY else pl.DataFrame(found)
    assert frame.rows() == [(1, 1.0), (2, 2.0), (3, 2.5)]


def test_sources_as_paths_and_bytes(folder: Path) -> None:
    files = [folder / "data" / "a.csv", folder / "data" / "b.csv"]
    assert codecs.load(folder, "files", "list[pathlib.Path]") == files
    assert codecs.load(folder, "files", "pathlib.Path") == folder
    assert sources.path(folder, one=True) == folder
    with pytest.raises(sources.Unreadable, match="the source has 2 files"):
        codecs.load(folder, "files", "bytes")
    files[1].unlink()
    assert sources.path(folder, one=True) == files[0]
    assert sources.path(folder, one=False) == folder
    assert codecs.load(folder, "files", "str") == "id,x\n1,1\n2,2\n"


def test_sources_that_are_no_table(folder: Path) -> None:
    (folder / "data" / "c.txt").write_text("text")
    assert codecs.load(folder, "files", "") == folder
    with pytest.raises(sources.Unreadable, match=r"c\.txt is neither"):
        codecs.load(folder, "files", tables.POLARS)


def test_kept_values_are_those_that_nobody_can_change() -> None:
    kept = Kept(budget=10_000)
    kept.keep_made("frame", FRAME)
    taken = kept.made("frame", tables.POLARS)
    taken.insert_column(0, pl.Series("new", [1, 2, 3]))
    assert kept.made("frame", "").columns == FRAME.columns
    assert kept.made("frame", tables.PANDAS) is None
    assert kept.made("frame", "bytes") is None
    kept.keep_read(Path("/in/a"), "json", "", {"can": "change"})
    assert kept.read(Path("/in/a"), "json", "") is None
    kept.keep_made("large", b"x" * 9_960)
    assert kept.made("frame", "") is None
    assert kept.made("large", "bytes") is not None
    assert kept.made("large", "str") is None
    assert not codecs.lasting(FRAME.to_pandas())
    assert not codecs.lasting(np.zeros(3))
    assert codecs.lasting(pa.table({"a": [1]}))
