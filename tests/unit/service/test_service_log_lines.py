"""When lines were written, which are wanted, and what is left of a log that was bounded."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.service import bounding, logs, times

BLOCK = 4096


def _everything(log: Path, wanted: logs.Wanted | None = None, most: int | None = None) -> list[logs.Line]:
    wanted = wanted or logs.Wanted()
    return list(logs.follow(lambda: [log], wanted=wanted, most=most, stop=lambda: True, wait=lambda _: None))


def test_a_line_was_written_between_two_looks(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\n")
    times.note(log, 4, 1_000)
    log.write_text("one\ntwo\nthree\n")
    times.note(log, 14, 2_000)
    times.note(log, 14, 3_000)  # nothing new: nothing to note
    known = times.load(log)
    assert (list(known.sizes), list(known.at)) == ([4, 14], [1_000, 2_000])
    assert known.span(4) == (None, 1_000)
    assert known.span(8) == (1_000, 2_000)
    assert known.span(15)[0] == 2_000
    assert [known.offset(at) for at in (0, 1_000, 1_001, 2_000, 2_001)] == [0, 0, 4, 4, 14]


def test_a_torn_record_is_written_over_and_a_log_that_began_again_forgets(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    times.note(log, 10, 1_000)
    with times.beside(log).open("ab") as file:
        file.write(b"torn")
    assert list(times.load(log).sizes) == [10]
    times.note(log, 20, 2_000)
    assert list(times.load(log).sizes) == [10, 20]
    times.note(log, 5, 3_000)
    assert list(times.load(log).sizes) == [5]


def test_times_are_thinned_where_they_are_many_and_where_their_log_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(times, "MOST", 8)
    log = tmp_path / "a.log"
    log.touch()
    for number in range(1, 13):
        times.note(log, number * 10, number)
    times.thin(log, 0)
    assert list(times.load(log).sizes) == [10, 30, 50, 70, 80, 90, 100, 110, 120]
    times.thin(log, 90)
    assert list(times.load(log).sizes) == [90, 100, 110, 120]  # what lies before 90 is known to be no newer than it
    assert times.load(log).span(95) == (9, 10)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=30), st.integers(0, 40))
def test_no_line_that_was_written_since_is_left_out(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], since: int
) -> None:
    """Whatever the looks saw, every line that was really written at or after a time is given."""
    log = tmp_path_factory.mktemp("logs") / "a.log"
    written: list[tuple[int, str]] = []
    with log.open("ab", buffering=0) as file:
        for now, size in enumerate(sizes, 1):
            text = f"{now}:{'x' * size}"
            file.write(text.encode() + b"\n")
            written.append((now, text))
            if size % 3:
                times.note(log, log.stat().st_size, now)
    os.utime(log, ns=(len(sizes) * 1000, len(sizes) * 1000))
    found = {line.text for line in _everything(log, logs.Wanted(since_us=since))}
    assert {text for now, text in written if now >= since} <= found


def test_lines_are_searched_by_text_level_and_time(tmp_path: Path) -> None:
    log = tmp_path / "prod-web-r1-ab.log"
    log.write_text('INFO one\nERROR two\n  at line 3\n{"level": "warn", "msg": "three", "n": 1}\nfour\n')
    assert [line.text for line in _everything(log, logs.Wanted(level="warn"))] == [
        "ERROR two", "  at line 3", '{"level": "warn", "msg": "three", "n": 1}',
    ]  # fmt: skip
    assert [line.text for line in _everything(log, logs.Wanted(matches=lambda text: "o" in text))] == [
        "INFO one", "ERROR two", "four",
    ]  # fmt: skip
    (structured,) = _everything(log, logs.Wanted(level="warn", matches=lambda text: "three" in text))
    assert (structured.message, structured.fields) == ("three", {"n": 1})
    assert _everything(log, logs.Wanted(since_us=log.stat().st_mtime_ns // 1000 + 1)) == []
    assert [line.text for line in _everything(log, logs.Wanted(level="warn"), most=1)] == [structured.text]


def test_its_own_time_counts_where_it_can_be_true(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    at = 1_764_000_000_000_000
    log.write_text("2025-11-24T16:00:00.5Z true\n2031-01-01T00:00:00Z false\nnone\n")
    times.note(log, log.stat().st_size, at + 1_000_000)
    true, false, none = _everything(log)
    assert (true.at_us, true.exact) == (at + 500_000, True)
    assert (false.at_us, false.exact) == (at + 1_000_000, False)
    assert (none.at_us, none.exact) == (at + 1_000_000, False)


def test_several_logs_are_told_by_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    for log, texts in ((first, ("a1", "a2")), (second, ("b1", "b2"))):
        for number, text in enumerate(texts):
            with log.open("a") as file:
                file.write(f"{text}\n")
            times.note(log, log.stat().st_size, 1_000 * (2 * number + 1) + (500 if log == second else 0))
    looked = logs.follow(
        lambda: [second, first], wanted=logs.Wanted(), most=None, stop=lambda: True, wait=lambda _: None
    )
    assert [line.text for line in looked] == ["a1", "b1", "a2", "b2"]


def test_a_bounded_log_gives_its_room_back_and_keeps_its_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    lines = [f"{number} {'x' * 90}" for number in range(2_000)]
    with log.open("ab", buffering=0) as writer:
        writer.write("".join(f"{line}\n" for line in lines).encode())
        whole = log.stat()
        assert bounding.due(whole, 64 * 1024)
        begin = bounding.bound(log, 64 * 1024)
        assert begin == (whole.st_size - 64 * 1024) // BLOCK * BLOCK
        assert log.stat().st_size == whole.st_size
        assert log.stat().st_blocks * 512 <= 64 * 1024 + 2 * BLOCK
        assert not bounding.due(log.stat(), 64 * 1024)
        writer.write(b"and on\n")  # who writes notices nothing
    found = [line.text for line in _everything(log)]
    assert found[-1] == "and on"
    assert found[:-1] == lines[-(len(found) - 1) :]
    assert len(found) > 600
    assert [line.text for line in logs.tail(log, 3)] == [*lines[-2:], "and on"]
    assert [line.text for line in logs.tail(log, 5_000)] == found
    assert bounding.bound(log, 64 * 1024) >= begin


def test_what_is_left_of_a_log_that_is_all_hole(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("wb") as file:
        file.truncate(1 << 20)
    assert _everything(log) == []
    assert logs.tail(log, 5) == []
    assert bounding.bound(tmp_path / "a.log", 1 << 20) == 0


def test_a_log_whose_writer_begins_again_is_read_again(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n")
    steps = iter([lambda: log.write_text("new\n"), lambda: None])
    done: list[bool] = []

    def wait(_: float) -> None:
        step = next(steps, None)
        done.append(True) if step is None else step()

    looked = logs.follow(lambda: [log], wanted=logs.Wanted(), most=None, stop=lambda: bool(done), wait=wait)
    assert [line.text for line in looked] == ["one", "two", "new"]


def test_a_line_that_was_never_ended_is_told_at_the_end(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\nSegmentation fault")
    assert [line.text for line in _everything(log)] == ["one", "Segmentation fault"]
    assert [line.text for line in _everything(log, most=1)] == ["Segmentation fault"]
    assert _everything(log, most=0) == []
