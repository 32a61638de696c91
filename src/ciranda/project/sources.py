"""`[sources.NAME]`: files of the tree, or a reference to what lies elsewhere."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from ciranda.kernel import errors
from ciranda.project import cron
from ciranda.project.declaration import Source
from ciranda.project.reading import Table

_SCHEMES = ("http", "https")


def read(name: str, table: Table) -> Source:
    """One source; what is wrong with it is noted in the table."""
    if not name.isidentifier():
        table.wrong("", f'cannot become an asset: "{name}" is not a name that a function can take')
    files, url = table.optional("files"), table.optional("url")
    if (files is None) == (url is None) and "table" not in table:
        if url is None:
            table.wrong("", "says neither files nor url", 'write files = "…", or url = "…"')
        else:
            table.wrong("url", "says both files and url", "take one of them out")
    if files is not None:
        _files(table, files)
        files = str(PurePosixPath(files))
    if url is not None:
        _url(table, url)
    source = Source(name, files or "", table.line, url or "", table.flag("keep"), table.text("schedule"))
    if files and not source.reference:
        for key in ("keep", "schedule"):
            if key in table:
                what = "is kept with each version anyway" if key == "keep" else "changes with a commit alone"
                table.wrong(key, f"is for what lies outside of the project: a file of the tree {what}", "take it out")
    if source.schedule:
        try:
            cron.parse(source.schedule)
        except errors.Invalid as error:
            table.wrong("schedule", f'is "{source.schedule}": {error}', error.hint)
    return source


def outside(path: str) -> bool:
    """Whether a path leaves the project."""
    pure = PurePosixPath(path)
    return pure.is_absolute() or ".." in pure.parts


def _files(table: Table, files: str) -> None:
    if "://" in files:
        table.wrong("files", f'names "{files}", which is an address', f'write url = "{files}"')
    elif files == "/" or files.strip("/") == "" or files.rstrip("/") == "~":
        table.wrong("files", f'names "{files}", which is everything', "name a folder or a pattern")
    elif files.startswith("~") and not files.startswith("~/"):
        table.wrong("files", f'names "{files}", the home of another user', "write the whole path")
    elif ".." in PurePosixPath(files).parts:
        hint = "write the whole path: files outside of the project are taken in by reference"
        table.wrong("files", f'names "{files}", which is not a path inside the project', hint)


def _url(table: Table, url: str) -> None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
        parts = None
    if not known or parts is None or any(ord(character) <= 32 for character in url):
        table.wrong("url", f'is "{url}", which is no address', 'write url = "https://…"')
    elif parts.username or parts.password:
        table.wrong(
            "url", "holds a user name or a password, which everybody who has the repository could read", "take it out"
        )
