"""Which logs go, and what control does for those that stay."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.app import home as homes
from ciranda.app import logkeeping
from ciranda.app.doctor import house
from ciranda.app.logkeeping import Limits, Old
from ciranda.kernel import errors
from ciranda.service import bounding, logs, times

DAY = 86_400_000_000
NOW = 100 * DAY


def _old(age_days: float, size: int) -> Old:
    return Old(Path(f"/{age_days}"), size, NOW - int(age_days * DAY))


def test_what_is_too_old_goes_and_then_the_oldest() -> None:
    kept = Limits(total=100, days=30)
    old = [_old(31, 1), _old(3, 40), _old(2, 40), _old(1, 40)]
    assert list(logkeeping.outdated(old, 0, kept, NOW)) == [_old(3, 40), _old(31, 1)]
    assert list(logkeeping.outdated(old, 70, kept, NOW)) == [_old(1, 40), _old(2, 40), _old(3, 40), _old(31, 1)]


def test_what_was_just_written_stays_however_much_there_is() -> None:
    assert list(logkeeping.outdated([_old(0.01, 1_000)], 1_000, Limits(total=10), NOW)) == []


@given(st.lists(st.tuples(st.floats(0.05, 40), st.integers(0, 100))), st.integers(0, 300))
def test_what_stays_is_not_too_much(ages: list[tuple[float, int]], living: int) -> None:
    old = [_old(*one) for one in ages]
    kept = Limits(total=300, days=30)
    gone = list(logkeeping.outdated(old, living, kept, NOW))
    stays = [one for one in old if one not in gone]
    assert sum(one.size for one in stays) + living <= 300
    assert all(one.written_us >= NOW - 30 * DAY for one in stays)


def test_limits_are_read_and_refused(tmp_path: Path) -> None:
    assert logkeeping.limits(tmp_path) == Limits()
    (tmp_path / "settings.toml").write_text("[logs]\neach_mb = 1\ndays = 7\n")
    assert logkeeping.limits(tmp_path) == Limits(each=1_000_000, days=7)
    for text in ("each_mb = 0", "total_mb = true", 'days = "7"', "each_mb = 1.5"):
        (tmp_path / "settings.toml").write_text(f"[logs]\n{text}\n")
        with pytest.raises(errors.Invalid, match=r"logs\.\w+ is not a whole number from 1"):
            logkeeping.limits(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> homes.Home:
    made = homes.Home(tmp_path / "home")
    logs.path(made.logs, "toy", "prod", "web", "x").parent.mkdir(parents=True)
    (made.root / "settings.toml").write_text("[logs]\neach_mb = 1\ntotal_mb = 1\n")
    return made


def test_a_look_notes_sizes_and_bounds_what_is_too_long(home: homes.Home) -> None:
    log = logs.path(home.logs, "toy", "prod", "web", "prod-web-r1-ab")
    log.write_bytes(b"x" * 99 + b"\n")
    (home.logs / "control.log").write_bytes((b"y" * 99 + b"\n") * 20_000)
    kept = logkeeping.Logkeeping(home)
    kept.look()
    kept.look()
    assert list(times.load(log).sizes) == [100]
    assert not bounding.due((home.logs / "control.log").stat(), 1_000_000)
    assert (home.logs / "control.log").stat().st_size == 2_000_000
    assert len(logs.tail(home.logs / "control.log", 20_000)) > 9_000


def test_settings_that_cannot_be_read_are_said_once(home: homes.Home, capfd: pytest.CaptureFixture[str]) -> None:
    (home.root / "settings.toml").write_text("[logs]\neach_mb = 0\n")
    kept = logkeeping.Logkeeping(home)
    kept.look()
    kept.look()
    assert capfd.readouterr().err.count("logs.each_mb is not a whole number") == 1


def test_where_no_hole_can_be_made_it_is_said_and_nothing_ends(
    home: homes.Home, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(_descriptor: int, _length: int) -> None:
        raise bounding.Unsupported

    monkeypatch.setattr(bounding, "_punch", refuse)
    (home.logs / "control.log").write_bytes(b"y" * 3_000_000)
    kept = logkeeping.Logkeeping(home)
    kept.look()
    kept.look()
    assert capfd.readouterr().err.count("cannot bound logs that are being written") == 1


@contextmanager
def _keeper(home: homes.Home, *running: Path) -> Iterator[None]:
    """A keeper that knows these logs."""
    listed = ",".join(f'{{"log": "{log}"}}' for log in running)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home.sockets / "keeper"))
        listener.listen()

        def answer() -> None:
            with listener.accept()[0] as asked:
                asked.recv(4096)
                asked.sendall(f'{{"ok": true, "children": [{listed}]}}\n'.encode())

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            thread.join()
            (home.sockets / "keeper").unlink()
            home.sockets.rmdir()


def test_old_logs_of_ended_instances_go_with_their_times(home: homes.Home) -> None:
    lives, young, old = (logs.path(home.logs, "toy", "prod", "web", f"prod-web-r1-{name}") for name in "lyo")
    for log in (lives, young, old):
        log.write_text("a\n")
        times.note(log, 2, 1)
    for log in (lives, old):
        os.utime(log, (1, 1))
    orphan = times.beside(lives.with_name("prod-web-r0-x.log"))
    orphan.write_bytes(b"")
    with _keeper(home, lives):
        logkeeping.Logkeeping(home).tidy()
    assert sorted(path.name for path in lives.parent.iterdir()) == sorted(
        path.name for log in (lives, young) for path in (log, times.beside(log))
    )


def test_without_a_keeper_nothing_goes(home: homes.Home) -> None:
    log = logs.path(home.logs, "toy", "prod", "web", "prod-web-r1-o")
    log.write_text("a\n")
    os.utime(log, (1, 1))
    with pytest.raises(errors.Unreachable):
        logkeeping.Logkeeping(home).tidy()
    assert log.exists()
    home.sockets.rmdir()


def test_the_doctor_weighs_what_is_left_of_a_log(home: homes.Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(house, "LOUD", 2_000_000)
    log = home.logs / "control.log"
    log.write_bytes(b"y" * 3_000_000)
    assert [path for path, _ in house.logs(home)] == [str(log)]
    logkeeping.Logkeeping(home).look()
    assert log.stat().st_size == 3_000_000
    assert house.logs(home) == []
