"""Sources outside of the tree, on a real store, ledger and HTTP server: listed, pinned, lent, never taken for what they were."""

import os
import time
from pathlib import Path

import pytest

from ciranda.kernel import confine, errors, outbound
from ciranda.pipeline import reports
from support import outside
from support import pipeline as build
from support.outside import Served

READS = """
from pathlib import Path
from ciranda import check, dataset

@dataset
def lines(raw: list[Path]) -> list:
    return [line for path in raw for line in path.read_text().split()]

@check(lines)
def filled(lines):
    return len(lines) > 0
"""
ONE = """
from ciranda import dataset

@dataset
def text(raw: str) -> str:
    return raw.upper()
"""


def toml(place: Path | str, more: str = "") -> str:
    key = "url" if "://" in str(place) else "files"
    return f'[sources.raw]\n{key} = "{place}"\n{more}\n'


def age(path: Path) -> None:
    """Make a file look as if it had not been touched for a while; its time of change stays."""
    os.utime(path, (time.time() - 60, time.time() - 60))


@pytest.mark.parametrize("confined", [False, True])
def test_a_folder_outside_of_the_tree_is_listed_and_read_in_place(tmp_path: Path, confined: bool) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.csv").write_text("1 2")
    (data / ".half.csv").write_text("x")
    where = confine.available() if confined else False
    with build.bench(tmp_path, READS, toml=toml(data / "*.csv")) as bench:
        first = bench.run(confine=where)
        assert bench.value(first, "lines") == b'["1","2"]'
        version = first.assets["raw"]
        assert (version.codec, version.size, version.kind) == ("reference", 3, "source")
        assert bench.store.get(version.digest).startswith(f'[["{data}/a.csv",3,"b3:'.encode())

        again = bench.run(confine=where)
        assert set(build.states(again).values()) == {"unchanged"}
        assert not any(isinstance(report, reports.StepStarted) for report in bench.told)

        (data / "b.csv").write_text("3")
        grown = bench.run(confine=where)
        assert bench.value(grown, "lines") == b'["1","2","3"]'
        assert grown.assets["raw"].digest != version.digest


def test_what_is_pinned_is_taken_from_the_pin_and_nothing_is_read_for_a_hit(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    data.write_text("1 2")
    with build.bench(tmp_path, READS, toml=toml(data)) as bench:
        pins = {"raw": bench.run().assets["raw"]}
        data.write_text("1 2 3")
        pinned = bench.run(pins=pins)
        assert set(build.states(pinned).values()) == {"unchanged"}, "what is known needs no bytes"
        assert bench.value(bench.run(), "lines") == b'["1","2","3"]', "without a pin it is what it is now"


@pytest.mark.parametrize("gone", [False, True])
def test_bytes_that_are_not_what_the_pin_says_fail_the_run_by_name(tmp_path: Path, gone: bool) -> None:
    data = tmp_path / "a.csv"
    data.write_text("1 2")
    with build.bench(tmp_path, READS, toml=toml(data)) as bench:
        pins = {"raw": bench.run().assets["raw"]}
        data.unlink() if gone else data.write_text("9 9")
        bench.write(pipeline_py=READS.replace("split()]", "split() if line]"))
        result = bench.run(pins=pins)
        assert build.states(result) == {"raw": "unchanged", "lines": "failed"}
        error = str(next(step.error for step in result.steps if step.step == "lines"))
        assert f"raw moved underneath: {data} was b3:" in error
        assert "ciranda run --refresh" in error
        assert result.outcomes[0].passed is None


def test_a_file_that_changes_while_a_step_reads_it_fails_that_step(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    data.write_text("1 2")
    age(data)
    meddles = READS.replace("return [line", f"open({str(data)!r}, 'a').write(' 3'); return [line")
    with build.bench(tmp_path, meddles, toml=toml(data)) as bench:
        result = bench.run()
        assert build.states(result)["lines"] == "failed"
        assert "moved underneath" in str(result.steps[-1].error)


def test_a_step_that_breaks_because_its_file_moved_is_told_why(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    data.write_text("1 2")
    meddles = READS.replace("return [line", f"import os; os.remove({str(data)!r}); return [line")
    with build.bench(tmp_path, meddles, toml=toml(data)) as bench:
        result = bench.run()
        assert str(result.steps[-1].error).startswith("raw moved underneath")


def test_a_kept_one_is_read_from_the_store_after_the_file_has_changed(tmp_path: Path) -> None:
    data = tmp_path / "a.csv"
    data.write_text("1 2")
    with build.bench(tmp_path, READS, toml=toml(data, "keep = true")) as bench:
        first = bench.run()
        assert first.assets["raw"].codec == "files"
        pins = {"raw": first.assets["raw"]}
        data.write_text("7 8 9")
        bench.write(pipeline_py=READS.replace("split()]", "split() if line]"))
        old = bench.run(pins=pins)
        assert bench.value(old, "lines") == b'["1","2"]'
        assert bench.value(bench.run(), "lines") == b'["7","8","9"]'


def test_what_cannot_be_had_is_refused_with_its_place(tmp_path: Path) -> None:
    with build.bench(tmp_path, READS, toml=toml("/nowhere/at/all/*.csv")) as bench:
        problem = str(bench.run().problem)
        assert "the source raw cannot be had" in problem
        assert "ciranda.toml:4" in problem


def test_nothing_is_read_from_the_home_itself(tmp_path: Path) -> None:
    with build.bench(tmp_path, READS, toml=toml(tmp_path / "data/*.txt")) as bench:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "x.txt").symlink_to(tmp_path / "home" / "format")
        assert "leads into the home" in str(bench.run().problem)


def test_a_url_is_pinned_by_its_etag_and_downloaded_when_a_step_reads(tmp_path: Path) -> None:
    with outside.site(sales_csv=Served(b"ab", etag='"1"')) as site:
        with build.bench(tmp_path, ONE, toml=toml(f"{site.url}/sales.csv")) as bench:
            first = bench.run()
            assert bench.value(first, "text") == b"AB"
            listed = bench.store.get(first.assets["raw"].digest)
            assert listed == f'[["{site.url}/sales.csv",2,"etag:\\"1\\""]]'.encode()

            site.sent.clear()
            assert set(build.states(bench.run()).values()) == {"unchanged"}

            pins = {"raw": first.assets["raw"]}
            site.files["/sales.csv"] = Served(b"cd", etag='"2"')
            bench.write(pipeline_py=ONE.replace("upper", "title"))
            moved = bench.run(pins=pins)
            assert f'raw moved underneath: {site.url}/sales.csv was etag:"1", is etag:"2"' in str(moved.steps[-1].error)


@pytest.mark.parametrize("hours", [None, 0, 1])
def test_a_url_without_an_etag_is_pinned_by_when_it_was_modified_else_by_its_bytes(
    tmp_path: Path, hours: int | None
) -> None:
    modified = 0.0 if hours is None else time.time() - 3600 * hours
    with outside.site(sales_csv=Served(b"ab", modified=modified, length=False)) as site:
        with build.bench(tmp_path, ONE, toml=toml(f"{site.url}/sales.csv")) as bench:
            first = bench.run()
            old_enough = 0 < modified < time.time() - 60
            assert (b'"modified:' in bench.store.get(first.assets["raw"].digest)) is old_enough
            site.files["/sales.csv"] = Served(b"cd", modified=modified + 5 if modified else 0.0, length=False)
            second = bench.run()
            assert bench.value(second, "text") == b"CD"
            site.files["/sales.csv"] = Served(b"ef")
            bench.write(pipeline_py=ONE.replace("upper", "title"))
            assert "moved underneath" in str(bench.run(pins={"raw": second.assets["raw"]}).steps[-1].error)


def test_a_kept_url_is_downloaded_once_for_each_of_its_etags(tmp_path: Path) -> None:
    with outside.site(sales_csv=Served(b"ab" * 40_000, etag='"1"')) as site:
        with build.bench(tmp_path, ONE, toml=toml(f"{site.url}/sales.csv", "keep = true")) as bench:
            first = bench.run()
            assert first.assets["raw"].size == 80_000
            site.files.clear()
            pins = {"raw": first.assets["raw"]}
            bench.write(pipeline_py=ONE.replace("upper", "title"))
            assert build.states(bench.run(pins=pins)) == {"raw": "unchanged", "text": "ran"}
            assert "answered 404" in str(bench.run().problem)


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (Served(b"ab", said_length=20), "does not answer"),
        (Served(b"ab", status=500), "answered 500"),
        (Served(location="/sales.csv"), "redirects more than"),
        (Served(location="file:///etc/passwd"), "not an address of http"),
    ],
)
def test_a_server_that_does_not_keep_its_word_is_refused(tmp_path: Path, served: Served, said: str) -> None:
    with outside.site(sales_csv=served) as site:
        with build.bench(tmp_path, ONE, toml=toml(f"{site.url}/sales.csv")) as bench:
            assert said in str(bench.run().problem)


def test_a_gate_asks_no_private_address_unless_the_home_allows_it(tmp_path: Path) -> None:
    with outside.site(sales_csv=Served(b"ab", etag='"1"'), there=Served(location="http://127.0.0.2:1/x")) as site:
        with build.bench(tmp_path, ONE, toml=toml(f"{site.url}/sales.csv")) as bench:
            refused = str(bench.run(reach=outbound.Reach()).problem)
            assert "127.0.0.1 is not a public address" in refused
            assert not site.asked
            assert bench.run(reach=outbound.Reach(allowed=("127.0.0.1",))).problem is None
        with (
            pytest.raises(errors.Refused, match=r"127\.0\.0\.2 is"),
            outbound.get(f"{site.url}/there", outbound.Reach(allowed=("127.0.0.1/32",))),
        ):
            pass
