"""Templates to HTML, and the files that go with them: each under a name that has its digest, so that it may be kept for ever."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

import jinja2

from ciranda.cli import words as cli_words
from ciranda.kernel import digest
from ciranda.pipeline.records import Outcome
from ciranda.version import __version__
from ciranda.web.pages import languages, words

TYPES = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows: its template and the records for it.

    `every` is in seconds: how often it looks again by itself. `change`: the identity of the change whose lines it follows.
    `said` is its state in a sentence, told to screen readers when it changes.
    """

    template: str
    title: str
    given: Mapping[str, Any]
    project: str = ""
    every: int = 15
    change: str = ""
    said: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class File:
    """A file that pages ask for, as it is sent."""

    name: str  # "page-0f3a….css"
    type: str
    data: bytes


def files() -> dict[str, File]:
    """The files of the folder `static`, by the name under which pages know them: `page.css`."""
    found = {}
    for entry in resources.files(__package__).joinpath("static").iterdir():
        stem, _, suffix = entry.name.rpartition(".")
        if suffix in TYPES:
            data = entry.read_bytes()
            short = digest.digest("object", data).removeprefix(digest.PREFIX)[:16]
            found[entry.name] = File(f"{stem}-{short}.{suffix}", TYPES[suffix], data)
    return found


@dataclass(frozen=True)
class Renderer:
    """Renders pages in one language; what is not defined in a template is a fault of ours, and everything is escaped."""

    static: Mapping[str, File]
    language: languages.Language = languages.ALL[languages.DEFAULT]
    templates: jinja2.Environment = field(init=False)

    def __post_init__(self) -> None:
        made = jinja2.Environment(
            loader=Loader(self.language),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=self.language.spoken,
        )
        made.filters |= words.FILTERS | {"say": self.language.say}
        made.filters |= {
            "mark": self.mark,
            "sign": self.sign,
            "count": self.count,
            "checks": self.checks,
            "counts": self.counts,
        }
        made.globals |= {
            "static": self.address, "version": __version__, "language": self.language.code, "languages": languages.LANGUAGES,
        }  # fmt: skip
        object.__setattr__(self, "templates", made)

    def address(self, name: str) -> str:
        """`/static/page-0f3a….css`."""
        return f"/static/{self.static[name].name}"

    def mark(self, state: str, kind: str) -> words.Mark:
        """The mark of a state, its word in this language."""
        found = words.mark(state, kind)
        return replace(found, word=self.language.say(found.word))

    def sign(self, name: str) -> words.Mark:
        """The mark of a part of a plan, its word in this language."""
        found = words.sign(name)
        return replace(found, word=self.language.say(found.word))

    def count(self, number: int, one: str, many: str = "") -> str:
        """`3 changes`, in this language."""
        return self.language.say(cli_words.count(number, one, many) if many else cli_words.count(number, one))

    def checks(self, outcomes: tuple[Outcome, ...]) -> str:
        """`3 passed, 1 warned`, in this language."""
        return self._each(words.checks(outcomes))

    def counts(self, told: Mapping[str, int]) -> str:
        """The same of anything that is counted by state."""
        return self._each(words.counts(told))

    def _each(self, text: str) -> languages.Named:
        return languages.Named(", ".join(self.language.say(part) for part in text.split(", ") if part))

    def html(self, page: Page, user: str, path: str, *, seal: str = "", here: str = "") -> bytes:
        """A page for a user (empty: nobody is signed in). `seal`: what its forms carry; `here`: its address, to be shown otherwise."""
        template = self.templates.get_template(f"{page.template}.html")
        told = template.render(page=page, user=user, path=path, seal=seal, here=here or f"{path}?", **page.given)
        return told.encode("utf-8", "replace")


class Loader(jinja2.BaseLoader):
    """The templates of this package, their literal text in one language."""

    def __init__(self, language: languages.Language) -> None:
        self._language = language
        self._files = jinja2.PackageLoader(str(__package__), "templates")

    def get_source(self, environment: jinja2.Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        """One of them, as it is in this language."""
        source, file, _ = self._files.get_source(environment, template)
        return self._language.read(source), file, lambda: True

    def list_templates(self) -> list[str]:
        """Their names."""
        return self._files.list_templates()
