"""Counters of requests by route and release, in a memory-mapped file that the gateway writes and anyone may read.

Layout, version 1: slots of 1,024 bytes, each 128 little-endian unsigned 64-bit words. Slot 0 is the head: its first
24 bytes are the text `ciranda.counters/1`, padded with zeros; word 3 is the number of slots. In every other slot

    words 0–19    the name, UTF-8, `<prefix> <release>`, padded with zeros; all zeros: the slot is free
    word 20       requests answered, by an instance or by the gateway in its place
    words 21–25   answers 1xx, 2xx, 3xx, 4xx, 5xx
    word 26       requests that an instance did not answer: refused or lost connections, time-outs
    word 27       sum of the seconds to the whole answer, in microseconds
    word 28       errors: 5xx, resets and time-outs, once per client and while (see `gateway/force.py: Release.errs`)
    word 29       tries that an instance did not answer and that went on to another one
    words 30–31   zero
    words 32–111  a histogram of the same times: bucket n counts those below BOUNDS_US[n], the last one all others

Words only grow, and survive the gateway: whoever wants a rate reads twice. A slot whose release has left may be given
to another name.
"""

import mmap
import os
from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import errors, files

FORMAT = b"ciranda.counters/1"
SLOT = 1024
WORDS = SLOT // 8
SLOTS = 1024
NAME_BYTES = 160
REQUESTS, CLASSES, UNANSWERED, MICROSECONDS, ERRORS, ELSEWHERE, HISTOGRAM, BUCKETS = 20, 20, 26, 27, 28, 29, 32, 80
# four buckets to each doubling, from 64 µs to 50 s
BOUNDS_US = tuple((4 + step) << (octave + 4) for octave in range(20) for step in range(4))[:-1]


def quantile(histogram: Sequence[int], share: float) -> float:
    """The upper bound of the bucket that holds this share, in seconds; 0 when there is none. It may lack zeros at its end."""
    wanted, seen = share * sum(histogram), 0
    for count, bound in zip(histogram, (*BOUNDS_US, BOUNDS_US[-1]), strict=False):
        seen += count
        if count and seen >= wanted:
            return bound / 1e6
    return 0.0


@dataclass(frozen=True, slots=True)
class Counted:
    """What one release answered on one route since the counters began."""

    requests: int
    classes: tuple[int, int, int, int, int]  # 1xx … 5xx
    unanswered: int
    seconds: float  # the sum
    histogram: tuple[int, ...]
    errors: int = 0  # 5xx, resets and time-outs, as a judge counts them
    elsewhere: int = 0  # tries that went on to another instance

    def quantile(self, share: float) -> float:
        """The upper bound of the bucket that holds this share of the answers, in seconds; 0 when there are none."""
        return quantile(self.histogram, share)


class Counters:
    """The writing end: one process holds it. A file that is not ours, or torn, is begun anew.

    Without room for the file the counts are this process's own, `kept` is False, and nobody else sees them.
    """

    def __init__(self, path: Path) -> None:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self.kept = True
        try:
            # a hole that cannot be filled later would end the process by SIGBUS
            os.posix_fallocate(descriptor, 0, SLOT * SLOTS)
            self._map = mmap.mmap(descriptor, SLOT * SLOTS)
        except OSError as error:
            if files.no_room(error) is None:
                raise
            self.kept = False
            self._map = mmap.mmap(-1, SLOT * SLOTS)
        finally:
            os.close(descriptor)
        if self._map[: len(FORMAT)] != FORMAT:
            self._map[:] = bytes(SLOT * SLOTS)
            self._map[:24] = FORMAT.ljust(24, b"\0")
        self.words = memoryview(self._map).cast("Q")
        self.words[3] = SLOTS
        self._slots = {name: at for at in range(1, SLOTS) if (name := _name(self._map, at))}

    def slot(self, prefix: str, release: str, keep: Collection[str]) -> int:
        """The first word of this name's slot. When all are taken, one whose name is not in `keep` is begun anew."""
        name = named(prefix, release)
        at = self._slots.get(name)
        if at is None:
            taken = set(self._slots.values())
            at = next((at for at in range(1, SLOTS) if at not in taken), None) or self._reclaim(keep)
            self._map[at * SLOT : (at + 1) * SLOT] = name.encode()[:NAME_BYTES].ljust(SLOT, b"\0")
            self._slots[name] = at
        return at * WORDS

    def count(self, slot: int, status: int, microseconds: int) -> None:
        """One answer with this status after this time."""
        words = self.words
        words[slot + REQUESTS] += 1
        words[slot + CLASSES + status // 100] += 1
        words[slot + MICROSECONDS] += microseconds
        words[slot + HISTOGRAM + bisect_right(BOUNDS_US, microseconds)] += 1

    def missed(self, slot: int) -> None:
        """One request that an instance did not answer."""
        self.words[slot + UNANSWERED] += 1

    def erred(self, slot: int) -> None:
        """One error, as a judge counts them."""
        self.words[slot + ERRORS] += 1

    def passed_on(self, slot: int) -> None:
        """One try that an instance did not answer goes on to another one."""
        self.words[slot + ELSEWHERE] += 1

    def close(self) -> None:
        self.words.release()
        self._map.close()

    def _reclaim(self, keep: Collection[str]) -> int:
        victim = next((name for name in self._slots if name not in keep), None)
        if victim is None:
            raise errors.Refused(
                f"more than {SLOTS - 1} releases are routed at once", hint="roll back or remove services"
            )
        return self._slots.pop(victim)


def named(prefix: str, release: str) -> str:
    """The name of a slot: `/flights/prod/delays r42`."""
    return f"{prefix} {release}"


def read(path: Path) -> dict[tuple[str, str], Counted]:
    """What was counted, by prefix and release; empty when nothing was yet. Raises errors.Corrupt for another file."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    if data[: len(FORMAT)] != FORMAT or len(data) % SLOT:
        raise errors.Corrupt("the gateway's counters cannot be read", where=str(path), hint="ciranda up")
    words = memoryview(data).cast("Q")
    found = {}
    for at in range(1, len(data) // SLOT):
        if name := _name(data, at):
            prefix, _, release = name.partition(" ")
            slot = words[at * WORDS : (at + 1) * WORDS]
            one, two, three, four, five = slot[CLASSES + 1 : CLASSES + 6]
            histogram = tuple(slot[HISTOGRAM : HISTOGRAM + BUCKETS])
            seconds = slot[MICROSECONDS] / 1e6
            found[prefix, release] = Counted(
                slot[REQUESTS],
                (one, two, three, four, five),
                slot[UNANSWERED],
                seconds,
                histogram,
                slot[ERRORS],
                slot[ELSEWHERE],
            )
    return found


def _name(data: bytes | mmap.mmap, at: int) -> str:
    return data[at * SLOT : at * SLOT + NAME_BYTES].rstrip(b"\0").decode("utf-8", "replace")
