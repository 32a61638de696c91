"""`[export.otlp]` and `[export.dogstatsd]` in the home's settings.toml: to whom metrics are sent."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ciranda.access import settings
from ciranda.app.exports import otlp
from ciranda.kernel import errors

SECRET = "secret-file:"
_OTLP = '[export.otlp] url = "https://otlp.example", every = 15, headers = { api-key = "secret-file:/etc/ciranda/otlp.key" }'
_DOGSTATSD = '[export.dogstatsd] address = "127.0.0.1:8125", every = 10, tags = ["team:data"]'
_SECRETIVE = re.compile(r"authori[sz]ation|cookie|key|token|secret|password", re.IGNORECASE)
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = ("content-type", "content-encoding", "content-length", "host", "user-agent", "accept-encoding")


@dataclass(frozen=True, slots=True)
class Otlp:
    """A collector. `headers` are what settings.toml says: a value, or `secret-file:` and the file that holds it."""

    url: str
    every: float
    home: Path
    headers: Mapping[str, str] = field(default_factory=dict)

    def given(self) -> dict[str, str]:
        """The headers with their values, read now. Raises errors.Refused for a file that cannot be read or that others can."""
        return {name: self._value(name, value) for name, value in self.headers.items()}

    def _value(self, name: str, value: str) -> str:
        if not value.startswith(SECRET):
            return value
        path = self.home / Path(value.removeprefix(SECRET)).expanduser()
        try:
            if path.stat().st_mode & 0o077:
                raise errors.Refused(f"others may read what the header {name} holds", hint=f"chmod 600 {path}")
            found = path.read_text().strip()
        except (OSError, UnicodeDecodeError):
            raise errors.Refused(f"the file of the header {name} cannot be read", where=str(path)) from None
        if not found or not found.isascii() or not found.isprintable():
            raise errors.Refused(f"the file of the header {name} holds no line of plain text", where=str(path))
        return found


@dataclass(frozen=True, slots=True)
class Dogstatsd:
    """An agent: `host` and `port`, or the `path` of its socket."""

    host: str
    port: int
    path: str
    every: float
    tags: tuple[str, ...] = ()


def of_otlp(home: Path) -> Otlp | None:
    """The collector; None: none is named. Raises errors.Invalid."""
    section = _section(home, "otlp", ("url", "every", "headers"), _OTLP)
    if section is None:
        return None
    url = section.get("url")
    parts = urlsplit(url) if isinstance(url, str) else None
    if not isinstance(url, str) or parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise _wrong(home, "export.otlp.url is not an address of http or https", _OTLP)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong(home, "export.otlp.url holds more than an address; keys are headers", _OTLP)
    headers = section.get("headers", {})
    if not isinstance(headers, dict):
        raise _wrong(home, "export.otlp.headers is not a table", _OTLP)
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            raise _wrong(home, f"export.otlp.headers names {name!r}, which cannot be given", _OTLP)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise _wrong(home, f"export.otlp.headers.{name} is not a plain text", _OTLP)
        if _SECRETIVE.search(name) and not value.startswith(SECRET):
            raise _wrong(home, f"export.otlp.headers.{name} would lie open in this file", _OTLP)
    bare = url.rstrip("/")
    full = bare if bare.endswith(otlp.PATH) else bare + otlp.PATH
    return Otlp(full, _every(home, "otlp", section, 15), home, headers)


def of_dogstatsd(home: Path) -> Dogstatsd | None:
    """The agent; None: none is named. Raises errors.Invalid."""
    section = _section(home, "dogstatsd", ("address", "every", "tags"), _DOGSTATSD)
    if section is None:
        return None
    address, tags = section.get("address"), section.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise _wrong(home, "export.dogstatsd.tags is not a list of texts", _DOGSTATSD)
    every = _every(home, "dogstatsd", section, 10)
    if isinstance(address, str) and address.startswith(("unix://", "/")):
        return Dogstatsd("", 0, address.removeprefix("unix://"), every, tuple(tags))
    found = (
        re.fullmatch(r"(?:\[([0-9A-Fa-f:]+)\]|([^\s:/\[\]]+)):(\d{1,5})", address) if isinstance(address, str) else None
    )
    if found is None or not 0 < int(found[3]) < 65_536:
        raise _wrong(home, "export.dogstatsd.address is neither HOST:PORT nor unix:///PATH", _DOGSTATSD)
    return Dogstatsd(found[1] or found[2], int(found[3]), "", every, tuple(tags))


def _section(home: Path, name: str, keys: tuple[str, ...], hint: str) -> dict[str, Any] | None:
    section = settings.read(home).get("export", {}).get(name)
    if section is None:
        return None
    if not isinstance(section, dict):
        raise _wrong(home, f"export.{name} is not a table", hint)
    unknown = sorted(set(section) - set(keys))
    if unknown:
        raise _wrong(home, f"export.{name} knows {', '.join(keys)}, not {unknown[0]}", hint)
    return section


def _every(home: Path, name: str, section: Mapping[str, Any], usual: int) -> float:
    found = section.get("every", usual)
    if isinstance(found, bool) or not isinstance(found, int | float) or not 1 <= found <= 3600:
        raise _wrong(home, f"export.{name}.every is not a number of seconds from 1 to 3600", f"every = {usual}")
    return float(found)


def _wrong(home: Path, what: str, hint: str) -> errors.Invalid:
    return errors.Invalid(what, where=str(home / settings.FILE), hint=hint)
