"""What a line of a log says of itself."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.service import said


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("INFO:     Uvicorn running", "info"),
        ("2026-11-23 05:00:00,123 ERROR app: it broke", "error"),
        ("2026-11-23T05:00:00Z [warning] slow", "warn"),
        ('ts=2026-11-23T05:00:00Z level=warn msg="slow"', "warn"),
        ("E1123 05:00:00.123456    1 main.go:42] broken", "error"),
        ("W1123 05:00:00.123456    1 main.go:42] slow", "warn"),
        ("CRITICAL:root:no", "fatal"),
        ("warning: deprecated", "warn"),
        ("[error] 12#12: connect() failed", "error"),
        ("<debug> here", "debug"),
        ("it said ERROR in the middle", "error"),
        ("an error came up", None),
        ("GET /errors 200", None),
        ("ERROR-42 is a name", None),
        ("", None),
        ('{"level": "warning", "msg": "slow"}', "warn"),
        ('{"level": 50, "time": 1764000000000, "msg": "pino"}', "error"),
        ('{"severity": "CRITICAL"}', "fatal"),
        ('{"level": "loud"}', None),
        ('{"level": true}', None),
        ('{"level": "error"', None),
    ],
)
def test_the_level_of_a_line(line: str, level: str | None) -> None:
    assert said.read(line).level == level


def test_a_structured_line_has_a_message_and_fields() -> None:
    line = json.dumps({"time": "2026-11-23T05:00:00.25Z", "level": "info", "msg": "served", "rows": 3, "who": {"a": 1}})
    found = said.read(line)
    assert (found.text, found.level, found.fields) == ("served", "info", {"rows": 3, "who": {"a": 1}})
    assert found.at_us == int(datetime(2026, 11, 23, 5, tzinfo=UTC).timestamp() * 1e6) + 250_000
    assert not found.local


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2026-11-23T05:00:00Z x", "2026-11-23T05:00:00+00:00"),
        ("[2026-11-23 05:00:00.5 +01:00] x", "2026-11-23T04:00:00.500000+00:00"),
        ("2026/11/23 05:00:00-0300 x", "2026-11-23T08:00:00+00:00"),
        ('{"ts": 1764000000.5}', "2025-11-24T16:00:00.500000+00:00"),
        ('{"timestamp": 1764000000500000000}', "2025-11-24T16:00:00.500000+00:00"),
        ("2026-13-23T05:00:00Z x", None),
        ("0001-01-01T00:00:00Z x", None),
        ('{"time": 12.5}', None),
        ('{"time": "soon"}', None),
        ("at 2026-11-23T05:00:00Z x", None),
    ],
)
def test_the_time_of_a_line(line: str, at: str | None) -> None:
    found = said.read(line).at_us
    assert (found and datetime.fromtimestamp(found / 1e6, UTC).isoformat()) == at


def test_a_time_without_a_zone_may_be_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    found = said.read("2026-11-23 05:00:00,123 x")
    assert found.local
    assert found.at_us is not None
    as_utc = datetime(2026, 11, 23, 5, tzinfo=UTC).timestamp()
    assert said.as_utc(found.at_us) == int(as_utc * 1e6) + 123_000


def test_a_traceback_has_the_level_of_what_it_belongs_to() -> None:
    levels = said.Levels()
    lines = [
        ("ERROR it broke", "error"),
        ("Traceback (most recent call last):", "error"),
        ('  File "x.py", line 1', "error"),
        ("ValueError: no", "error"),
        ("and on it goes", None),
        ("  indented without anything before", None),
        ("WARN slow", "warn"),
        ("    more of it", "warn"),
        ("INFO well", "info"),
    ]
    assert [levels.of(said.read(line), line) for line, _ in lines] == [level for _, level in lines]


def test_levels_are_ordered() -> None:
    assert said.at_least("error", "warn")
    assert said.at_least("warn", "warn")
    assert not said.at_least("info", "warn")
    assert not said.at_least(None, "trace")


@given(st.text())
def test_whatever_is_written_is_a_line(line: str) -> None:
    found = said.read(line)
    assert found.level is None or found.level in said.LEVELS


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_whatever_a_field_holds_is_a_line(value: object) -> None:
    said.read(json.dumps(dict.fromkeys(("level", "time", "msg"), value)))
