"""Masking: secret values are replaced in a stream of bytes, however it is cut into chunks and however they are written there.

A value is found plain, in base64 at each of its three offsets (standard and URL-safe, wrapped lines too), in hexadecimal,
and wherever its characters are escaped in any mixture of URL-encoding, JSON, C, shell and HTML escapes, twice over. Of a
value of several lines each longer line is a secret of its own, and of an address with a password the password.

What is found is the union of all occurrences, so the result depends on the stream alone. A tail that could still become an
occurrence is held back until what follows decides; nothing waits for time. Standard library only.
"""

import base64
import html
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib import parse

MASK = b"***"
_LINE = 8  # bytes from which a line of a value is masked by itself
_BASE64 = 4  # characters of base64 that are worth looking for
_PASSWORD = re.compile(rb"://[^/\s:@]*:([^/\s@]{4,})@")
_LONGEST = 16  # bytes of an escape, at most
_CONTEXT = 64  # bytes of what was given out that decide how what follows is read

_PLAIN_ESCAPES = (
    rb"%[0-9A-Fa-f]{2}"
    rb"|\\u[dD][89abAB][0-9A-Fa-f]{2}\\u[dD][c-fC-F][0-9A-Fa-f]{2}"
    rb"|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[0-7]{3}|\\[^ux0-7]|\\[0-7]"
    rb"|'\\''|'\"'\"'"
    rb"|&(?:amp|lt|gt|quot|#39|#34|#x27);"
)
# An end of a line within a long run of base64, itself escaped or not: it is wrapped there.
_WRAPPED = rb"(?<=[A-Za-z0-9+/_-]{60})(\r?\n|(?:\\r)?\\n)"
_ESCAPES = (re.compile(_WRAPPED + rb"|" + _PLAIN_ESCAPES, re.DOTALL), re.compile(_PLAIN_ESCAPES, re.DOTALL))
# What may become an escape by what follows.
_BEGUN = re.compile(
    rb"(?:%[0-9A-Fa-f]?"
    rb"|\\(?:u[dD][89abAB][0-9A-Fa-f]{2}(?:\\(?:u[0-9A-Fa-f]{0,3})?)?|u[0-9A-Fa-f]{0,3}|x[0-9A-Fa-f]?|[0-7]{1,2}|r\\?)?"
    rb"|'(?:\\'?|\"(?:'\"?)?)?"
    rb"|&(?:#x?[0-9]{0,2}|[a-z]{0,4})?"
    rb"|\r)\Z"
)
_NAMED = {
    b"\\n": b"\n", b"\\r": b"\r", b"\\t": b"\t", b"\\a": b"\a", b"\\b": b"\b", b"\\f": b"\f", b"\\v": b"\v", b"\\0": b"\0",
    b"&amp;": b"&", b"&lt;": b"<", b"&gt;": b">", b"&quot;": b'"', b"&#39;": b"'", b"&#34;": b'"', b"&#x27;": b"'",
    b"'\\''": b"'", b"'\"'\"'": b"'",
}  # fmt: skip
_STANDARD = bytes.maketrans(b"-_", b"+/")


@dataclass(frozen=True, slots=True)
class _View:
    """A text with its escapes resolved: where each one stands in it (`starts`, `ends`) and in the text before (`begins`, `stops`)."""

    text: bytes
    starts: Sequence[int] = ()
    ends: Sequence[int] = ()
    begins: Sequence[int] = ()
    stops: Sequence[int] = ()

    def texts(self, needles: "_Needles") -> tuple[tuple[bytes, Sequence[bytes]], ...]:
        """What is looked through, and what for."""
        return (self.text, needles.plain), (self.text.translate(_STANDARD), needles.coded)

    def begin(self, at: int) -> int:
        """Where what stands at a place of the view begins in the text before."""
        last = bisect_right(self.starts, at) - 1
        if last < 0:
            return at
        return self.begins[last] if at < self.ends[last] else self.stops[last] + at - self.ends[last]

    def end(self, at: int) -> int:
        """Where what ends at a place of the view ends in the text before."""
        last = bisect_right(self.starts, at - 1) - 1
        if last < 0:
            return at
        return self.stops[last] if at <= self.ends[last] else self.stops[last] + at - self.ends[last]

    def floor(self, at: int) -> int:
        """The last place of the text before, not behind `at`, that is within no escape."""
        last = bisect_right(self.begins, at) - 1
        return self.begins[last] if last >= 0 and at < self.stops[last] else at

    def forward(self, at: int) -> int:
        """Where a place of the text before, within no escape, stands in the view."""
        last = bisect_right(self.stops, at) - 1
        return at if last < 0 else self.ends[last] + at - self.stops[last]


@dataclass(frozen=True, slots=True)
class _Needles:
    """What is looked for: texts as they are, and texts in the alphabet of standard base64."""

    plain: tuple[bytes, ...]
    coded: tuple[bytes, ...]


class Masker:
    """Masks one stream. Values that are empty are left out."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._needles = _needles(values)
        self._held = b""  # not given out yet
        self._past = b""  # the end of what was given out
        self._covered = 0  # bytes at the start of what is held that a mask stands for already

    @property
    def longest(self) -> int:
        """Bytes that a value may take, however it is written."""
        return 2 * _LONGEST * max(map(len, (*self._needles.plain, *self._needles.coded)), default=0)

    def feed(self, data: bytes) -> bytes:
        """The next bytes of the stream; returns what is certain by now."""
        if not self._needles.plain:
            return data
        self._held += data
        return self._give(final=False)

    def end(self) -> bytes:
        """The end of the stream; returns the rest."""
        return self._give(final=True)

    def _give(self, *, final: bool) -> bytes:
        views = self._views()
        found = self._found(views)
        text, past = self._held, len(self._past)
        until = past + len(text) if final else self._certain(views)
        out, at, covered = bytearray(), past, past + self._covered
        for start, stop in _union(found, past, covered):
            if start >= until:
                break
            if start >= covered:  # else it goes on from a mask that was given out already
                out += text[at - past : start - past] + MASK
            at = max(at, stop)
        at = max(at, covered)
        out += text[at - past : max(at, until) - past] if at < until else b""
        self._covered = max(at - until, 0)
        whole = self._past + text
        self._held, self._past = whole[until:], whole[max(until - _CONTEXT, 0) : until]
        return bytes(out)

    def _views(self) -> list[_View]:
        """What is held, behind the end of what was given out, and with its escapes resolved once and twice."""
        views = [_View(self._past + self._held)]
        for escapes in _ESCAPES:
            view = _resolved(views[-1].text, len(self._past), escapes)
            if view is None:
                break
            views.append(view)
        return views

    def _found(self, views: Sequence[_View]) -> list[tuple[int, int]]:
        """Every occurrence, as places in the text."""
        found = []
        for depth, view in enumerate(views):
            for text, needles in view.texts(self._needles):
                for needle in needles:
                    at = text.find(needle, len(self._past))
                    while at >= 0:
                        start, stop = at, at + len(needle)
                        for level in range(depth, 0, -1):
                            start, stop = views[level].begin(start), views[level].end(stop)
                        found.append((start, stop))
                        at = text.find(needle, at + 1)
        return found

    def _certain(self, views: Sequence[_View]) -> int:
        """The place in the text up to which nothing that follows can change what is found."""
        past = len(self._past)
        until = end = len(views[0].text)
        for depth in range(len(_ESCAPES) + 1):
            at, end = self._possible(views[min(depth, len(views) - 1)], past, end)
            for level in range(min(depth, len(views) - 1), 0, -1):
                at = views[level].begin(at)
            until = min(until, at)
            if depth + 1 < len(views):
                end = views[depth + 1].forward(views[depth + 1].floor(end))
        while (at := _floor(views, until)) != until:
            until = at
        return max(until, past)

    def _possible(self, view: _View, past: int, end: int) -> tuple[int, int]:
        """Where something begins that what follows may make a needle, and where an escape that it may complete."""
        view = _View(view.text[:end])
        begun = _BEGUN.search(view.text, max(past, end - _LONGEST))
        at = len(view.text)
        for text, needles in view.texts(self._needles):
            at = min([at, *(_prefix(text, needle, past) for needle in needles)])
        return (min(at, begun.start()), begun.start()) if begun else (at, end)


def mask(data: bytes, values: Iterable[bytes]) -> bytes:
    """A whole text, masked."""
    masker = Masker(values)
    return masker.feed(data) + masker.end()


def _needles(values: Iterable[bytes]) -> _Needles:
    """What is looked for so that these values are found."""
    plain: set[bytes] = set()
    coded: set[bytes] = set()
    for value in values:
        whole = value.strip() or value
        if not whole:
            continue
        lines = {line.strip() for text in (whole, _plainly(whole)) for line in text.splitlines()}
        texts = {whole, _plainly(whole), *(line for line in lines if len(line) >= _LINE), *_PASSWORD.findall(whole)}
        texts |= {text.replace(b" ", b"+") for text in texts} | set(_written(whole))
        plain |= {text for text in texts if text}
        plain |= {
            text
            for each in {value, whole}
            if len(each) > 1
            for text in (each.hex().encode(), each.hex().upper().encode())
        }
        coded |= {text for each in {value, whole} for text in _base64(each)}
    return _Needles(tuple(sorted(plain)), tuple(sorted(coded)))


def _written(value: bytes) -> list[bytes]:
    """A value as usual encoders write it: where it holds escapes itself, resolving them may not give it back."""
    text = value.decode("utf-8", "surrogateescape")
    quoted = [value.replace(b"'", quote) for quote in (b"'\\''", b"'\"'\"'")]
    double = re.sub(rb'(["\\\\$`])', rb"\\\1", value)
    said = [
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        html.escape(text),
        html.escape(text).replace("&#x27;", "&#39;"),
        parse.quote(value),
        parse.quote(value, safe=""),
    ]
    return [*quoted, double, *(each.encode("utf-8", "surrogateescape") for each in said)]


def _base64(value: bytes) -> list[bytes]:
    """The characters of base64 that a value alone decides, at each of the three offsets at which it may stand."""
    found = []
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + value)
        sure = text[(8 * offset + 5) // 6 : (8 * (offset + len(value))) // 6]
        if len(sure) >= _BASE64:
            found.append(sure)
    return found


def _plainly(text: bytes) -> bytes:
    """A text with its escapes resolved."""
    return _ESCAPES[0].sub(_meaning, text)


def _resolved(text: bytes, past: int, escapes: re.Pattern[bytes]) -> _View | None:
    """The view of a text with its escapes resolved behind `past`; None when there are none."""
    parts: list[bytes] = []
    starts, ends, begins, stops = [], [], [], []
    at = length = 0
    for found in escapes.finditer(text, past):
        begin, stop = found.span()
        meaning = _meaning(found)
        length += begin - at
        parts += [text[at:begin], meaning]
        starts.append(length)
        begins.append(begin)
        length += len(meaning)
        ends.append(length)
        stops.append(stop)
        at = stop
    if not parts:
        return None
    parts.append(text[at:])
    return _View(b"".join(parts), starts, ends, begins, stops)


def _meaning(found: re.Match[bytes]) -> bytes:
    """The bytes that an escape stands for; none where a line is wrapped."""
    escape = found[0]
    if found.lastindex:
        return b""
    if (known := _NAMED.get(escape)) is not None:
        return known
    match escape[:2]:
        case b"\\u":
            units = bytes.fromhex(escape[2:6].decode() + escape[8:].decode())
            return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "surrogatepass")
        case b"\\x":
            return bytes.fromhex(escape[2:].decode())
        case _ if escape[:1] == b"%":
            return bytes.fromhex(escape[1:].decode())
        case _ if len(escape) == 4:
            return bytes([int(escape[1:], 8) & 0xFF])
        case _:
            return escape[1:]


def _prefix(text: bytes, needle: bytes, past: int) -> int:
    """Where the longest end of a text begins that is the beginning of a needle; the text's length when none is."""
    at = text.find(needle[:1], max(past, len(text) - len(needle) + 1))
    while at >= 0:
        if needle.startswith(text[at:]):
            return at
        at = text.find(needle[:1], at + 1)
    return len(text)


def _floor(views: Sequence[_View], until: int) -> int:
    """The last place not behind `until` that is within no escape, nor within one of what escapes stand for."""
    if len(views) > 1:
        until = views[1].floor(until)
    if len(views) > 2:
        until = min(until, views[1].begin(views[2].floor(views[1].forward(until))))
    return until


def _union(found: Iterable[tuple[int, int]], past: int, covered: int) -> list[tuple[int, int]]:
    """Occurrences that overlap become one; what is covered already is one of them. In order."""
    merged: list[tuple[int, int]] = []
    known = [(past, covered)] if covered > past else []
    for start, stop in sorted([*known, *found]):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged
