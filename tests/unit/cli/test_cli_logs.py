"""What `ciranda logs` is asked, and what it shows of logs that lie in a home."""

import json
import os
import time
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.cli import dispatch, moments
from ciranda.kernel import errors
from ciranda.service import logs, times

NOON = int(datetime(2026, 11, 23, 12).timestamp() * 1e6)
HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", NOON - 90_000_000),
        ("15m", NOON - HOUR // 4),
        ("1h", NOON - HOUR),
        ("1.5 h", NOON - HOUR * 3 // 2),
        ("2d", NOON - 48 * HOUR),
        ("11:00", NOON - HOUR),
        ("23:00", NOON - 13 * HOUR),
        ("2026-11-23T10:00", NOON - 2 * HOUR),
        ("2026-11-23", NOON - 12 * HOUR),
        ("900000000w", 0),
    ],
)
def test_moments(text: str, expected: int) -> None:
    assert moments.since(text, NOON) == expected


@pytest.mark.parametrize("text", ["05:00", "2026-11-23T05:00"])
def test_a_moment_without_a_zone_is_of_the_one_that_is_named(text: str) -> None:
    noon, east = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1e6), timezone(timedelta(hours=3))
    assert moments.since(text, noon, zone=east) == noon - 10 * HOUR


@pytest.mark.parametrize("text", ["", "soon", "1y", "25:00", "2026-13-01", "-1h", "99999-01-01"])
def test_what_names_no_moment_is_refused_with_what_does(text: str) -> None:
    with pytest.raises(errors.Usage, match="names no moment") as refused:
        moments.since(text, NOON)
    assert "1h" in refused.value.hint


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> homes.Home:
    """A home with logs of two instances of an old release and one of the new one, in a project's folder."""
    (tmp_path / "ciranda.toml").write_text('[project]\nname = "toy"\n')
    monkeypatch.chdir(tmp_path)
    made = homes.Home(tmp_path / "home")
    monkeypatch.setenv("CIRANDA_HOME", str(made.root))
    homes.create(made)
    now = time.time_ns() // 1000
    for release, name, age, text in (
        ("r1", "aaaaaaaa", 3 * HOUR, "INFO old\nERROR worse\n"),
        ("r1", "bbbbbbbb", 2 * HOUR, 'INFO between\n{"level": "error", "msg": "broken", "rows": 3}\n'),
        ("r2", "cccccccc", 0, "INFO new\nWARN slow\nTraceback (most recent call last):\nKeyError: 1\n"),
    ):
        log = logs.path(made.logs, "toy", "prod", "web", f"prod-web-{release}-{name}")
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        times.note(log, log.stat().st_size, now - age)
        os.utime(log, ns=((now - age) * 1000,) * 2)
    (made.logs / "control.log").write_text("one\ntwo\n")
    return made


def _shown(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert dispatch.run(["logs", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_lines_of_all_instances_are_told_by_time_release_and_level(
    home: homes.Home, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert [line.split("  ", 2)[2] for line in _shown(capsys, "web", "--since", "1d", "-e", "prod", "--level", "error")] == [
            "ERROR worse", '{"level": "error", "msg": "broken", "rows": 3}', "Traceback (most recent call last):", "KeyError: 1",
        ]  # fmt: skip
        assert [line.split()[-1] for line in _shown(capsys, "web", "--release", "r1", "--search", "BET")] == ["between"]
        assert [line.split()[-1] for line in _shown(capsys, "web", "--since", "1h", "-n", "1")] == ["1"]
        (told,) = (json.loads(line) for line in _shown(capsys, "web", "--release", "r1", "--grep", "bro.en", "--json"))
        assert (told["level"], told["message"], told["fields"], told["exact"]) == (
            "error",
            "broken",
            {"rows": 3},
            False,
        )
        assert (told["release"], told["instance"]) == ("r1", "prod-web-r1-bbbbbbbb")
        assert [line[10:].strip() for line in _shown(capsys, "--server", "control", "-n", "1")] == ["two"]
        assert _shown(capsys, "web", "--search", "nowhere") == []
    finally:
        home.sockets.rmdir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["web", "--grep", "("], "not a regular expression"),
        (["web", "--since", "soon"], "names no moment"),
        (["web", "-n", "-1"], "--lines is a number from 0"),
        (["web", "--server", "control"], "--server is of the server alone"),
        (["--server", "gateway"], "gateway has not run here"),
        (["wep"], 'did you mean "web"'),
    ],
)
def test_what_cannot_be_shown_is_refused(
    home: homes.Home, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    try:
        assert dispatch.run(["logs", *words]) != 0
        assert said in capsys.readouterr().err
    finally:
        if home.sockets.exists():
            home.sockets.rmdir()
