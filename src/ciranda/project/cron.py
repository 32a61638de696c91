"""Schedules: when something is due next. `"0 5 * * * America/Sao_Paulo"`: the five fields of cron, and a time zone (default UTC).

Around a change of the clock it does what Debian's cron does: what falls into an hour that does not exist comes when that hour
would have ended, what falls into an hour that comes twice comes the first time; a schedule with `*` in minute or hour simply goes
on as real time does.
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache, lru_cache
from typing import Any

from ciranda.kernel import errors

EXAMPLE = '"0 5 * * * America/Sao_Paulo": minute, hour, day, month, weekday, time zone'
FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\Z")
_STARTS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly", "@reboot")
_LIKE_A_FIELD = re.compile(r"[\d*/,\-#LW]+\Z")
_SECOND = 1_000_000
_WINDOWS = tuple(days * 86_400 * _SECOND for days in (1 / 24, 1, 32, 367, 366 * 9))
_LATEST = 253_370_764_800 * _SECOND  # 9999: what a clock can say


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule that was understood. Times are µs since 1970 UTC."""

    text: str  # as it was written
    fields: str  # the five fields
    zone: str  # an IANA name

    def after(self, us: int) -> int | None:
        """When it is due first after `us`; None: never again."""
        return _after(self, us)

    def latest(self, since_us: int, us: int) -> int | None:
        """When it was due last, after `since_us` and not after `us`; None: not at all."""
        first = _after(self, since_us)
        return None if first is None or first > us else _latest(self, since_us, us)

    def _last(self, since_us: int, us: int) -> int | None:
        """What `latest` says, looked for in ever longer windows."""
        for window in _WINDOWS:
            start = max(since_us, int(us - window))
            found: int | None = None
            for each in self._times(start):
                if each > us:
                    break
                found = each
            if found is not None or start == since_us:
                return found
        return None

    def clock(self, us: int) -> datetime:
        """A moment as the clocks of the schedule's zone show it."""
        return datetime.fromtimestamp(us // _SECOND, zone(self.zone)) + timedelta(microseconds=us % _SECOND)

    def said(self, us: int) -> str:
        """A moment as people of the schedule's zone write it: `2026-11-23 05:00 -03`."""
        return f"{self.clock(us):%Y-%m-%d %H:%M %Z}"

    def until(self, us: int, ready: str) -> int:
        """The last moment up to `us` at which the clocks of the zone showed `ready` ("07:00").

        On a day that does not have that hour it is as much later as the clocks were moved.
        """
        hour, minute = clock_time(ready)
        day = self.clock(us).date()
        return next(moment for back in range(3) if (moment := self._moment(day - timedelta(back), hour, minute)) <= us)

    def _moment(self, day: date, hour: int, minute: int) -> int:
        shown = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone(self.zone))
        return int(shown.timestamp()) * _SECOND

    def _times(self, us: int) -> Iterator[int]:
        """Every time it is due after `us`, in order."""
        minute, hour, *_ = self.fields.split()
        return self._ticking(us) if minute.startswith("*") or hour.startswith("*") else self._fixed(us)

    def _fixed(self, us: int) -> Iterator[int]:
        import cronsim

        start = datetime.fromtimestamp(us // _SECOND, zone(self.zone))
        last = us
        for when in cronsim.CronSim(self.fields, start):
            moment = int(when.timestamp()) * _SECOND
            if moment > last:  # an hour that comes twice is walked through once
                last = moment
                yield moment

    def _ticking(self, us: int) -> Iterator[int]:
        """Whenever the clock shows what the fields say, however often it does: from one change of the clock to the next."""
        import cronsim

        base, found = us, True
        wall = self._wall(us)
        while found:
            found = False
            offset = self._offset(base)
            for shown in cronsim.CronSim(self.fields, wall):
                found = True
                moment = int((shown - offset).replace(tzinfo=UTC).timestamp()) * _SECOND
                moved = self._moved(base, moment)
                if moved is not None:
                    base, wall = moved, self._wall(moved) - timedelta(seconds=1)
                    break
                yield moment
                base = moment

    def _offset(self, us: int) -> timedelta:
        return datetime.fromtimestamp(us // _SECOND, zone(self.zone)).utcoffset() or timedelta()

    def _wall(self, us: int) -> datetime:
        return datetime.fromtimestamp(us // _SECOND, zone(self.zone)).replace(tzinfo=None)

    def _moved(self, us: int, until: int) -> int | None:
        """When the clocks are moved first after `us` and not after `until`; None: not at all."""
        offset, low = self._offset(us), us // _SECOND
        while low < until // _SECOND:
            high = min(low + 86_400, until // _SECOND)
            if self._offset(high * _SECOND) == offset:
                low = high
                continue
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if self._offset(middle * _SECOND) == offset else (low, middle)
            return high * _SECOND
        return None


@lru_cache(maxsize=4096)  # whoever waits for a schedule asks the same again and again
def _after(schedule: Cron, us: int) -> int | None:
    found = next(schedule._times(us), None)
    return found if found is None or found < _LATEST else None


@lru_cache(maxsize=4096)
def _latest(schedule: Cron, since_us: int, us: int) -> int | None:
    return schedule._last(since_us, us)


@lru_cache(maxsize=1024)
def parse(text: str) -> Cron:
    """The schedule that a text says. Raises errors.Invalid with what is wrong with it."""
    import cronsim

    words = text.split()
    if words and words[0].lower() in _STARTS:
        raise errors.Invalid(f'"{words[0]}" is not known', hint=f"write the five fields: {EXAMPLE}")
    if len(words) == 6 and _LIKE_A_FIELD.match(words[5]):
        raise errors.Invalid("it has six fields: seconds are not possible", hint=f"write five: {EXAMPLE}")
    if len(words) not in (5, 6):
        said = "it is empty" if not words else f"it has {len(words)} parts"
        raise errors.Invalid(f"{said}, not five fields and perhaps a time zone", hint=f"for example {EXAMPLE}")
    name = words[5] if len(words) == 6 else "UTC"
    zone(name)
    for place, field in enumerate(words[:5]):
        alone = ["*"] * 5
        alone[place] = field
        try:
            cronsim.CronSim(" ".join(alone), datetime(2024, 1, 1, tzinfo=UTC))
        except cronsim.CronSimError:
            raise errors.Invalid(f'its {FIELDS[place]} is "{field}"', hint=f"for example {EXAMPLE}") from None
    found = Cron(text, " ".join(words[:5]), name)
    try:
        comes = found.after(0)
    except cronsim.CronSimError:
        comes = None
    if comes is None:
        raise errors.Invalid("no day is like that: it would never come", hint=f"for example {EXAMPLE}")
    return found


def clock_time(text: str) -> tuple[int, int]:
    """Hour and minute of `07:00`. Raises errors.Invalid."""
    found = _CLOCK.match(text)
    if found is None:
        raise errors.Invalid(f'"{text}" is not a time of day', hint='write it as "07:00"')
    return int(found[1]), int(found[2])


@cache
def zone(name: str) -> tzinfo:
    """A time zone by its IANA name. Raises errors.Invalid with what was probably meant."""
    if name == "UTC":
        return UTC
    import zoneinfo

    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known: Any = zoneinfo.available_timezones()
    if not known:
        raise errors.Invalid(f'"{name}": this machine knows no time zones', hint="pip install tzdata, or write UTC")
    lower = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), lower, 1)
    hint = f'did you mean "{lower[close[0]]}"?' if close else 'an IANA name such as "America/Sao_Paulo"'
    raise errors.Invalid(f'"{name}" is not a time zone', hint=hint)
