"""The languages of the pages: which one is meant, and what is said in it. Templates and views are written in English.

A language is a table from what is said in English to what is said there. What varies stands as `{}`: "change {}" also says what
"change 7" is. Literal text of a template is exchanged when the template is read, so that a new one needs new lines in the
table and nothing else; what expressions give is exchanged when it is written, if it has several words. One word alone may be
somebody's name, so that only `| say` exchanges it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from markupsafe import Markup

from ciranda.web.pages import portuguese, timelines

DEFAULT = "en"
LANGUAGES: Mapping[str, str] = {"en": "English", "pt": "Português"}
TABLES: Mapping[str, Mapping[str, str]] = {"en": {}, "pt": {**timelines.TABLES["pt"], **portuguese.TABLE}}
_SPOKEN = ("alt", "aria-label", "data-label", "data-live", "data-refused", "data-silent", "placeholder", "title")
_SILENT = ("code", "pre", "script", "style")  # elements that hold what a machine says or takes
_JINJA = re.compile(r"(\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\})", re.DOTALL)
_LETTER = re.compile(r"[^\W\d_]")
_ENTITY = re.compile(r"&[a-z]+;")
_GROUPED = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,]|\.\d)")


class Named(str):
    """What somebody else has said or called so: it is in no language of ours."""

    __slots__ = ()


def chosen(asked: str, kept: str, accepted: str) -> str:
    """The language that is meant: asked for now, kept from before, else the first one of Accept-Language that there is (RFC 9110)."""
    for one in (asked, kept):
        if one in LANGUAGES:
            return one
    weighed = []
    for place, part in enumerate(accepted.split(",")[:20]):
        name, _, rest = part.strip().partition(";")
        weight = re.fullmatch(r"\s*q=([01](?:\.\d{0,3})?)\s*", rest)
        weighed.append((-float(weight[1]) if weight else -1.0, place, name.partition("-")[0].lower()))
    return next((name for weight, _, name in sorted(weighed) if name in LANGUAGES and weight), DEFAULT)


@dataclass(frozen=True, eq=False)
class Language:
    """One language, by its code."""

    code: str
    table: Mapping[str, str] = field(repr=False)
    _patterns: list[tuple[re.Pattern[str], str]] = field(init=False, repr=False, default_factory=list)

    def __post_init__(self) -> None:
        keys = sorted((key for key in self.table if "{}" in key), key=lambda key: -len(key.replace("{}", "")))
        self._patterns.extend((_pattern(key), self.table[key]) for key in keys)

    def say(self, text: object) -> str:
        """What is said in this language for what is said in English; what is not known stays as it is."""
        return Named(self._said(str(text)))

    def spoken(self, value: Any) -> Any:
        """What a template writes for an expression's value."""
        if not isinstance(value, str) or isinstance(value, Named | Markup) or not self.table:
            return value
        return self.say(value) if " " in value or "," in value else value

    def read(self, source: str) -> str:
        """A template's source with its literal text in this language."""
        if not self.table:
            return source
        return "".join(self._exchanged(piece.text) if piece.spoken else piece.text for piece in pieces(source))

    def missing(self, source: str) -> list[str]:
        """The literal texts of a template for which nothing is said."""
        said = [" ".join(piece.text.split()) for piece in pieces(source) if piece.spoken]
        return [text for text in said if _LETTER.search(_ENTITY.sub("", text)) and text not in self.table]

    def _exchanged(self, text: str) -> str:
        inner = text.strip()
        if not inner:
            return text
        begin = text.index(inner)
        return text[:begin] + self.table.get(" ".join(inner.split()), inner) + text[begin + len(inner) :]

    @lru_cache(maxsize=4096)  # noqa: B019 - there are two languages, which live as long as the process
    def _said(self, text: str) -> str:
        key = " ".join(text.split())
        if not self.table or not _LETTER.search(key):
            return self._number(text)
        if key in self.table:
            return self.table[key]
        for pattern, said in self._patterns:
            if (found := pattern.fullmatch(key)) is not None:
                return self._filled(said, [self._said(part) for part in found.groups()])
        if ", " in key:  # a list of what is known by itself
            return ", ".join(self._said(part) for part in key.split(", "))
        return self._number(text)

    def _filled(self, said: str, parts: list[str]) -> str:
        for number, part in enumerate(parts):
            named = f"{{{number}}}"
            said = said.replace(named, part) if named in said else said.replace("{}", part, 1)
        return said

    def _number(self, text: str) -> str:
        return _GROUPED.sub(lambda found: found[0].replace(",", "."), text) if self.table else text


def _pattern(key: str) -> re.Pattern[str]:
    """What a line of the table with `{}` is a line for; where it says next to nothing itself, of single words alone."""
    varies = r"(\S+)" if len(key.replace("{}", "").strip()) < 3 else "(.+?)"
    return re.compile(varies.join(re.escape(part) for part in key.split("{}")), re.DOTALL)


ALL: Mapping[str, Language] = {code: Language(code, table) for code, table in TABLES.items()}


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a template's source; `spoken`: people read or hear it."""

    text: str
    spoken: bool


def pieces(source: str) -> Iterator[Piece]:
    """A template's source in pieces, which together are it. Pure."""
    state = _State()
    for token in _JINJA.split(source):
        if _JINJA.fullmatch(token):
            yield Piece(token, False)
        else:
            yield from state.feed(token)


@dataclass(slots=True)
class _State:
    """Where in the markup a reader is: in text, in a tag, in an attribute's value; and in which silent elements."""

    tag: bool = False
    quoted: str = ""  # the attribute whose value goes on
    silent: list[str] = field(default_factory=list)

    def feed(self, data: str) -> Iterator[Piece]:
        at = 0
        while at < len(data):
            if self.quoted:
                end = data.find('"', at)
                stop = len(data) if end < 0 else end
                yield Piece(data[at:stop], self.quoted in _SPOKEN)
                at = stop
                if end >= 0:
                    yield Piece('"', False)
                    at, self.quoted = end + 1, ""
            elif self.tag:
                found = re.compile(r'([\w-]+)="|>').search(data, at)
                if found is None:
                    yield Piece(data[at:], False)
                    return
                yield Piece(data[at : found.end()], False)
                at = found.end()
                self.quoted, self.tag = found[1] or "", bool(found[1])
            else:
                end = data.find("<", at)
                stop = len(data) if end < 0 else end
                if stop > at:
                    yield Piece(data[at:stop], not self.silent)
                at = stop
                if end >= 0:
                    self._enter(data, end)
                    at = end

    def _enter(self, data: str, at: int) -> None:
        self.tag = True
        name = re.compile(r"<(/?)([a-z0-9!]+)").match(data, at)
        if name is None or name[2] not in _SILENT:
            return
        if not name[1]:
            self.silent.append(name[2])
        elif self.silent:
            self.silent.pop()
