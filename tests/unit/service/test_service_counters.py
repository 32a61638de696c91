"""Counters in a file: counted, read from outside, kept."""

import errno
import itertools
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.service import counters


def test_what_is_counted_is_read_by_others_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "counters"
    assert counters.read(path) == {}
    for _ in range(2):  # a second gateway goes on where the first one was
        counted = counters.Counters(path)
        slot = counted.slot("/a/b/c", "r1", ())
        for status, microseconds in ((200, 900), (204, 1000), (404, 70), (503, 2_000_000)):
            counted.count(slot, status, microseconds)
        counted.missed(slot)
        counted.close()
    found = counters.read(path)
    assert set(found) == {("/a/b/c", "r1")}
    one = found["/a/b/c", "r1"]
    assert (one.requests, one.classes, one.unanswered) == (8, (0, 4, 0, 2, 2), 2)
    assert one.seconds == pytest.approx(2 * 2.00197)
    assert sum(one.histogram) == 8
    assert 0.0009 < one.quantile(0.5) <= 0.00125
    assert one.quantile(0.99) >= 2.0
    assert counters.Counted(0, (0, 0, 0, 0, 0), 0, 0.0, (0,) * 80).quantile(0.5) == 0.0


def test_buckets_are_a_fifth_apart_at_most(tmp_path: Path) -> None:
    bounds = counters.BOUNDS_US
    assert len(bounds) == counters.BUCKETS - 1
    assert bounds[0] == 64
    assert max(after / before for before, after in itertools.pairwise(bounds)) <= 1.25
    counted = counters.Counters(tmp_path / "counters")
    slot = counted.slot("/a/b/c", "r1", ())
    for microseconds in (0, 63, 64, 79, 80, 10**9):
        counted.count(slot, 200, microseconds)
    counted.close()
    histogram = counters.read(tmp_path / "counters")["/a/b/c", "r1"].histogram
    assert (histogram[0], histogram[1], histogram[2], histogram[-1]) == (2, 2, 1, 1)


def test_slots_of_releases_that_left_are_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters, "SLOTS", 4)
    counted = counters.Counters(tmp_path / "counters")
    for number in range(1, 4):
        counted.count(counted.slot("/a/b/c", f"r{number}", ()), 200, 1)
    keep = {counters.named("/a/b/c", "r1"), counters.named("/a/b/c", "r3")}
    counted.slot("/a/b/c", "r4", keep)
    with pytest.raises(errors.Refused):
        counted.slot("/a/b/c", "r5", {*keep, counters.named("/a/b/c", "r4")})
    counted.close()
    found = counters.read(tmp_path / "counters")
    assert {release for _, release in found} == {"r1", "r3", "r4"}
    assert found["/a/b/c", "r4"].requests == 0


@pytest.mark.parametrize("content", [b"", b"garbage", b"x" * 5000])
def test_a_file_that_is_not_ours_is_begun_anew_by_the_writer_and_refused_by_readers(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "counters"
    path.write_bytes(content)
    with pytest.raises(errors.Corrupt):
        counters.read(path)
    counters.Counters(path).close()
    assert counters.read(path) == {}


def test_without_room_the_counts_are_the_writers_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(counters.os, "posix_fallocate", full)
    counted = counters.Counters(tmp_path / "counters")
    assert not counted.kept
    counted.count(counted.slot("/a/b/c", "r1", ()), 200, 5)
    counted.close()
    assert (tmp_path / "counters").read_bytes() == b""
