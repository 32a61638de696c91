"""What people read and hear of a page: its texts and the attributes that are spoken, but for code and what is in no language."""

import html.parser
import re

SPOKEN = ("alt", "aria-label", "data-label", "placeholder", "title")
SILENT = ("code", "pre", "script", "style", "time")
VOID = ("br", "img", "input", "line", "link", "meta", "path", "polyline", "rect", "circle", "use")


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._quiet: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        foreign = told.get("translate") == "no" or ("lang" in told and tag != "html")
        quiet = tag in SILENT or foreign or bool(self._quiet and self._quiet[-1])
        if not quiet:
            self.texts += [value for name in SPOKEN if (value := told.get(name))]
        if tag not in VOID:
            self._quiet.append(quiet)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and self._quiet:
            self._quiet.pop()

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if re.search(r"[^\W\d_]", text) and not (self._quiet and self._quiet[-1]):
            self.texts.append(text)


def texts(page: bytes) -> list[str]:
    """The texts of a page, in order."""
    reader = _Reader()
    reader.feed(page.decode())
    return reader.texts
