"""Templates to HTML, and the files that go with them: each under a name that has its digest, so that it may be kept for ever."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import jinja2

from ciranda.kernel import digest
from ciranda.version import __version__
from ciranda.web.pages import words

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
    """Renders pages; what is not defined in a template is a fault of ours, and everything is escaped."""

    static: Mapping[str, File]
    templates: jinja2.Environment = field(init=False)

    def __post_init__(self) -> None:
        made = jinja2.Environment(
            loader=jinja2.PackageLoader(str(__package__), "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        made.filters |= words.FILTERS
        made.globals |= {"static": self.address, "version": __version__}
        object.__setattr__(self, "templates", made)

    def address(self, name: str) -> str:
        """`/static/page-0f3a….css`."""
        return f"/static/{self.static[name].name}"

    def html(self, page: Page, user: str, path: str) -> bytes:
        """A page for a user (empty: nobody is signed in)."""
        template = self.templates.get_template(f"{page.template}.html")
        return template.render(page=page, user=user, path=path, **page.given).encode("utf-8", "replace")
