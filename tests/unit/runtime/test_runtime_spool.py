"""The spool of a model server: frames, what is torn, who is of the sample, what does not fit, and what is never written in plain."""

import fcntl
import json
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ciranda.runtime import predict, spool


def rows(body: bytes) -> list[Any]:
    found = msgspec.json.decode(body)
    return found if isinstance(found, list) else [found]


@contextmanager
def kept(folder: Path, **more: Any) -> Iterator[spool.Spool]:
    made = spool.Spool(spool.Settings(folder, release="r1", models={"price": "b3:0d"}, **more), rows)
    try:
        yield made
    finally:
        made.close()


def records(folder: Path) -> list[Any]:
    return [one for path in sorted(folder.glob("*.seg")) for one in spool.frames(path.read_bytes())]


def predictions(folder: Path) -> list[tuple[str, Any, Any]]:
    return [(one[1], json.loads(one[3]), json.loads(one[4])) for one in records(folder) if one[0] == spool.PREDICTION]


def test_what_is_kept_is_what_was_asked_and_answered(tmp_path: Path) -> None:
    with kept(tmp_path) as made:
        made.keep(b"one", b'{"area": 70}', b"7.5")
        made.keep(b"two", b' [{"area": 1}, {"area": 2}]', b"[1,2]")
    begin = records(tmp_path)[0]
    assert begin == [spool.BEGIN, {"format": spool.FORMAT, "release": "r1", "models": {"price": "b3:0d"}}]
    assert predictions(tmp_path) == [
        ("one", [{"area": 70}], [7.5]), ("two", [{"area": 1}, {"area": 2}], [1, 2]),
    ]  # fmt: skip


def test_a_torn_tail_and_a_wrong_byte_end_what_is_read(tmp_path: Path) -> None:
    with kept(tmp_path) as made:
        for number in range(20):
            made.keep(b"%d" % number, b"{}", b"1")
    (path,) = tmp_path.glob("*.seg")
    whole = path.read_bytes()
    full = spool.frames(whole)
    assert len(full) == 21
    for cut in range(0, len(whole), 7):
        found = spool.frames(whole[:cut])
        assert found == full[: len(found)]
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 1
    assert len(spool.frames(bytes(broken))) < 21
    assert spool.frames(os.urandom(300)) == []
    assert spool.frames(b"") == []


def test_a_segment_is_locked_while_it_is_written(tmp_path: Path) -> None:
    with kept(tmp_path) as made:
        done = threading.Event()
        made.tell([spool.Said("one", truth=1)], lambda there: done.set())
        assert done.wait(30)
        (path,) = tmp_path.glob("*.seg")
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_id_alone_decides_who_is_of_the_sample() -> None:
    ids = [b"%032x" % (number * 7919) for number in range(20_000)]
    chosen = [one for one in ids if spool.sampled(one, 0.1)]
    assert 1_700 < len(chosen) < 2_300
    assert all(spool.sampled(one + b"-r42", 0.1) for one in chosen)  # whichever release answered
    assert all(spool.sampled(one, 0.2) for one in chosen)  # a larger share holds a smaller one
    assert spool.sampled(b"anything", 1.0)
    assert not spool.sampled(b"anything", 0.0)


def test_only_the_sample_is_written(tmp_path: Path) -> None:
    with kept(tmp_path, sample=0.5) as made:
        for number in range(200):
            made.keep(b"id-%d" % number, b"{}", b"1")
    names = {name for name, _, _ in predictions(tmp_path)}
    assert names == {f"id-{number}" for number in range(200) if spool.sampled(b"id-%d" % number, 0.5)}


def test_redacted_columns_are_digests_that_the_folder_alone_can_make(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        with kept(tmp_path / name, redact=frozenset({"buyer", "truth"})) as made:
            made.keep(b"1", b'{"buyer": "Ana", "area": 7}', b'{"price": 1, "buyer": "Ana"}')
            made.keep(b"2", b'[{"buyer": "Ana"}, {"buyer": null}]', b"[1,2]")
            made.tell([spool.Said("1", truth="Ana")], lambda there: None)
        assert b"Ana" not in b"".join(path.read_bytes() for path in (tmp_path / name).glob("*.seg"))
    (_, [first], [answer]), (_, [second, nothing], _) = predictions(tmp_path / "a")
    assert first["buyer"] == answer["buyer"] == second["buyer"] != "Ana"
    assert first["area"] == 7
    assert nothing["buyer"] is None
    assert predictions(tmp_path / "b")[0][1][0]["buyer"] != first["buyer"]  # the key is the folder's


def test_what_does_not_fit_is_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "WAITING", 1000)
    with kept(tmp_path) as made:
        for number in range(50):
            made.keep(b"%d" % number, b'{"area": "' + b"x" * 100 + b'"}', b"1")
        made.keep(b"large", b" " * (spool.LARGEST + 1), b"1")
    counted = sum(one[1] for one in records(tmp_path) if one[0] == spool.DROPPED)
    assert counted > 0
    assert counted + len(predictions(tmp_path)) == 51


def test_a_folder_that_is_full_of_segments_takes_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "FOLDER", 1000)
    (tmp_path / "0-old.seg").write_bytes(b"x" * 2000)
    heard: list[bool] = []
    with kept(tmp_path) as made:
        made.keep(b"1", b"{}", b"1")
        made.tell([spool.Said("1", truth=1)], heard.append)
    assert heard == [False]
    assert [path.name for path in tmp_path.glob("*.seg")] == ["0-old.seg"]


def test_without_its_folder_nothing_is_kept_and_nothing_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard: list[bool] = []
    with kept(tmp_path / "away") as made:
        made.keep(b"1", b"{}", b"1")
        made.keep(b"2", b"no JSON", b"1")
        made.tell([spool.Said("1", truth=1)], heard.append)
    assert heard == [False]
    assert "predictions are not kept now: No such file or directory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        (b"{}", "request_id"),
        (b'{"request_id": "a"}', "truth"),
        (b'{"request_id": "", "truth": 1}', "request_id"),
        (b'{"request_id": "a", "truth": 1, "row": -1}', "row"),
        (b'{"request_id": "a", "truth": [1]}', "truth"),
        (b'{"request_id": "a", "truth": 1, "more": 1}', "more"),
        (b'[{"request_id": "a", "truth": 1}, {"request_id": "b"}]', "1"),
        (b'{"request_id": "a", "rating": "good"}', "rating"),
        (b'{"request_id": "a", "truth": 123456789012345678901234567890}', "truth"),
    ],
)
def test_feedback_that_makes_no_sense_is_told(body: bytes, wrong: str) -> None:
    with pytest.raises(predict.Rejected) as rejected:
        spool.said(body)
    assert rejected.value.status == 422
    assert wrong in f"{rejected.value.body}"


def test_feedback_is_one_or_many() -> None:
    assert spool.said(b'{"request_id": "a", "truth": true}') == [spool.Said("a", 0, True)]
    assert [
        one.row for one in spool.said(b' [{"request_id":"a","rating":4},{"request_id":"a","row":1,"rating":5}]')
    ] == [0, 1]


def test_settings_are_there_only_where_they_are_said(tmp_path: Path) -> None:
    assert spool.settings({}) is None
    told = {"folder": str(tmp_path), "sample": 0.5, "redact": ["a"], "models": {"m": "b3:1"}}
    found = spool.settings({"CIRANDA_PREDICTIONS": json.dumps(told), "CIRANDA_RELEASE": "r7"})
    assert found == spool.Settings(tmp_path, 0.5, frozenset({"a"}), {"m": "b3:1"}, "r7")


FULL = """
    import resource, sys
    from pathlib import Path
    from ciranda.runtime import spool
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    heard = []
    made = spool.Spool(spool.Settings(Path(sys.argv[1]), release="r1"), lambda body: [{}])
    made.keep(b"small", b"{}", b"1")
    made.tell([spool.Said("small", truth=1)], heard.append)
    while len(heard) < 1:
        time.sleep(0.01)
    made.keep(b"large", b"{}", b'"' + b"x" * 5000 + b'"')
    made.tell([spool.Said("large", truth=1)], heard.append)
    made.close()
    print(heard)
"""


def test_on_a_full_disk_what_is_there_stays_whole_and_feedback_is_not_promised(tmp_path: Path) -> None:
    program = "import time\n" + textwrap.dedent(FULL)
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[True, False]\n"
    assert "predictions are not kept now" in done.stderr
    (path,) = tmp_path.glob("*.seg")
    assert [name for name, _, _ in predictions(tmp_path)] == ["small"]
    whole = spool.frames(path.read_bytes())
    assert sum(len(spool._framed(*one)) for one in whole) == path.stat().st_size  # nothing is torn
