"""Windows in which no release enters an environment. Times are µs since 1970 UTC.

    "Fri 18:00 - Mon 08:00 America/Sao_Paulo"     every week; "Sat - Sun" is both days, whole
    "22:00 - 06:00 America/Sao_Paulo"             every day
    "2026-12-20 - 2027-01-03"                     once, the last day included; with times: "2026-12-20 18:00 - 2027-01-03 08:00"

The zone is an IANA name (default UTC). A window is what the clocks of its zone show: where they are put back and an hour comes
twice, it begins with the first and ends with the second; a time that they leave out is when they are put forward.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from ciranda.kernel import errors
from ciranda.project import cron

EXAMPLE = '"Fri 18:00 - Mon 08:00 America/Sao_Paulo", or "2026-12-20 - 2027-01-03"'
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SECOND = 1_000_000
_WEEK = 7
_HALF = re.compile(r"(?:(?P<date>\d{4}-\d{2}-\d{2})|(?P<day>[A-Za-z]+))?(?:(?:^|(?<=\S)\s+)(?P<time>\S+:\S+))?\Z")


@dataclass(frozen=True, slots=True)
class Half:
    """One end of a window: a date, a day of the week (0: Monday) or every day, and a time of that day (None: none was said)."""

    date: date | None
    day: int | None
    clock: time | None


@dataclass(frozen=True, slots=True)
class Window:
    """A window that was understood, as it was written."""

    text: str
    first: Half
    last: Half
    zone: str

    def until(self, us: int) -> int | None:
        """When the window that holds at `us` is over; None: none holds."""
        return next((end for start, end in self._near(us) if start <= us < end), None)

    def comes(self, us: int) -> int | None:
        """When it begins next, after `us`; None: never again, or not within a fortnight for one that comes again and again."""
        return min((start for start, _ in self._near(us) if start > us), default=None)

    def said(self, us: int) -> str:
        """A moment as the clocks of its zone show it: `Mon 2026-11-23 08:00 -03`."""
        return f"{datetime.fromtimestamp(us // _SECOND, cron.zone(self.zone)):%a %Y-%m-%d %H:%M %Z}"

    def _near(self, us: int) -> Iterator[tuple[int, int]]:
        """The windows around a moment, by when they begin."""
        if self.first.date is not None and self.last.date is not None:
            yield self._window(self.first.date, self.last.date)
            return
        try:
            here = datetime.fromtimestamp(us // _SECOND, cron.zone(self.zone)).date()
            for ahead in range(-_WEEK - 1, 2 * _WEEK):
                begins = here + timedelta(ahead)
                if self.first.day in (None, begins.weekday()):
                    yield self._window(begins, begins + timedelta(self._length()))
        except (OverflowError, ValueError):  # before the first year, or after the last
            return

    def _length(self) -> int:
        """Days from the one in which it begins to the one in which it ends."""
        if self.first.day is None or self.last.day is None:
            return int((self.last.clock or time()) <= (self.first.clock or time()))
        days = (self.last.day - self.first.day) % _WEEK
        return _WEEK if days == 0 and _ends(self.last) <= _begins(self.first) else days

    def _window(self, first: date, last: date) -> tuple[int, int]:
        begins = datetime.combine(first, self.first.clock or time())
        ends = (
            datetime.combine(last, self.last.clock)
            if self.last.clock
            else datetime.combine(last, time()) + timedelta(1)
        )
        return _moment(begins, self.zone, last=False), _moment(ends, self.zone, last=True)


@dataclass(frozen=True, slots=True)
class Frozen:
    """Nothing enters now, and until when: by this window, the one that is over last of those that follow one another."""

    until_us: int
    window: Window

    @property
    def said(self) -> str:
        """`until Mon 2026-11-23 08:00 -03 (Fri 18:00 - Mon 08:00 America/Sao_Paulo)`."""
        return f"until {self.window.said(self.until_us)} ({self.window.text})"


def frozen(texts: Collection[str], us: int) -> Frozen | None:
    """Whether a window holds at `us`, and when all that follow one another without a gap are over; None: none holds."""
    windows = [parse(text) for text in texts]
    found: Frozen | None = None
    at = us
    for _ in range(1000):  # windows that together never end were refused when they were declared
        over = max(
            ((end, window) for window in windows if (end := window.until(at)) is not None),
            key=lambda one: one[0],
            default=None,
        )
        if over is None:
            return found
        found = Frozen(*over)
        at = over[0]
    return found


def problem(texts: Collection[str]) -> str:
    """What is wrong with windows together: they leave no moment of a week in which anything may enter. Empty: nothing."""
    weekly = [text for text in texts if parse(text).first.date is None]
    at = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * _SECOND
    found = frozen(weekly, at)
    if found is not None and found.until_us - at > 21 * 86_400 * _SECOND:
        return "together they never end: nothing could ever enter"
    return ""


@lru_cache(maxsize=1024)
def parse(text: str) -> Window:
    """The window that a text says. Raises errors.Invalid with what is wrong with it."""
    begin, dash, rest = text.strip().partition(" - ")
    if not dash:
        raise errors.Invalid(f'"{text}" has no " - " between its two ends', hint=f"for example {EXAMPLE}")
    end, zone = rest.strip(), "UTC"
    words = end.split()
    if len(words) > 1 and _half(words[-1]) is None:
        zone, end = words[-1], " ".join(words[:-1])
    elif len(words) > 1 and words[-1].upper() == "UTC":
        end = " ".join(words[:-1])
    cron.zone(zone)
    first, last = _half(begin.strip()), _half(end)
    for part, half in ((begin.strip(), first), (end, last)):
        if half is None:
            raise errors.Invalid(f'"{part}" is neither a day, a date nor a time', hint=f"for example {EXAMPLE}")
    assert first is not None
    assert last is not None
    if (first.date is None) != (last.date is None) or (first.day is None) != (last.day is None):
        raise errors.Invalid("its two ends are of different kinds", hint=f"for example {EXAMPLE}")
    if first.date is None and first.day is None and (first.clock is None or last.clock is None):
        raise errors.Invalid("it says no time", hint='every night: "22:00 - 06:00"')
    made = Window(text, first, last, zone)
    if first.date is not None and last.date is not None:
        begins, ends = made._window(first.date, last.date)
        if ends <= begins:
            raise errors.Invalid("it ends before it begins", hint=f"for example {EXAMPLE}")
    elif first.clock is not None and first.clock == last.clock and first.day == last.day:
        raise errors.Invalid("it begins when it ends: that is never, or always", hint=f"for example {EXAMPLE}")
    return made


def _half(text: str) -> Half | None:
    found = _HALF.match(text)
    if not text or found is None:
        return None
    try:
        said = None if found["date"] is None else date.fromisoformat(found["date"])
        clock = None if found["time"] is None else time(*cron.clock_time(found["time"]))
    except (ValueError, errors.Invalid):
        return None
    if found["day"] is None:
        return Half(said, None, clock)
    name = found["day"].lower()
    full = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    day = next((at for at, short in enumerate(DAYS) if name in (short, full[at])), None)
    return None if day is None else Half(None, day, clock)


def _begins(half: Half) -> int:
    return 0 if half.clock is None else half.clock.hour * 60 + half.clock.minute


def _ends(half: Half) -> int:
    return 24 * 60 if half.clock is None else half.clock.hour * 60 + half.clock.minute


def _moment(wall: datetime, zone: str, *, last: bool) -> int:
    """When the clocks of a zone show this: the first or the last time; when they leave it out, the moment in which they do."""
    place = cron.zone(zone)
    early, late = (int(wall.replace(tzinfo=place, fold=fold).timestamp()) for fold in (0, 1))
    if early <= late:
        return (late if last else early) * _SECOND
    low, high = late, early  # a gap: before it at `low`, after it at `high`
    offset = datetime.fromtimestamp(low, place).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, place).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high * _SECOND


def over(text: str, us: int) -> bool:
    """Whether a window of dates lies wholly before a moment: it bars nothing any more."""
    window = parse(text)
    return window.last.date is not None and window.until(us) is None and window.comes(us) is None


def wrong(texts: Collection[str]) -> tuple[str, errors.Invalid] | None:
    """The first text that is no window, and why; of windows that leave no moment open, the last. None: nothing is wrong."""
    last = ""
    for text in texts:
        last = text
        try:
            parse(text)
        except errors.Invalid as error:
            return text, error
    said = problem(texts)
    return (last, errors.Invalid(said, hint="leave a time in which releases may enter")) if said else None
