"""`settings.toml` in the home: what whoever owns the home allows and says of the world around it. It need not be there."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import errors

FILE = "settings.toml"
# Its sections and their keys.
SECTIONS = {
    "outbound": ("allow",),
    "smtp": ("host", "port", "security", "sender", "user", "password_file"),
    "page": ("url",),
    "logs": ("each_mb", "total_mb", "days"),
    "export": ("otlp", "dogstatsd"),
    "prometheus": ("url",),
}
SECURITY = ("starttls", "tls", "none")
_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_EXAMPLE = '[outbound] allow = ["10.0.0.0/8", "host.example"]        [smtp] host = "mail.example"        [page] url = "https://…"'


@dataclass(frozen=True, slots=True)
class Smtp:
    """The mail server that messages leave by; the password lies in a file of its own, readable by its owner alone."""

    host: str
    port: int
    security: str  # "starttls", "tls", "none"
    sender: str
    user: str = ""
    password_file: str = ""

    def password(self) -> str:
        """Raises errors.Refused for a file that cannot be read or that others can."""
        path = Path(self.password_file).expanduser()
        try:
            if path.stat().st_mode & 0o077:
                raise errors.Refused("others may read the password of the mail server", hint=f"chmod 600 {path}")
            return path.read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError):
            raise errors.Refused("the password of the mail server cannot be read", where=str(path)) from None


def read(home: Path) -> dict[str, dict[str, Any]]:
    """Every section that is there. Raises errors.Invalid for settings that cannot be read."""
    where = str(home / FILE)
    try:
        told: dict[str, Any] = tomllib.loads((home / FILE).read_text())
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.Invalid(f"this is not TOML: {error}", where=where) from None
    for name, section in told.items():
        if name not in SECTIONS:
            raise errors.Invalid(f"it has no section [{name}]", where=where, hint=_EXAMPLE)
        unknown = sorted(set(section) - set(SECTIONS[name])) if isinstance(section, dict) else [name]
        if unknown:
            raise errors.Invalid(
                f"{name} knows {', '.join(SECTIONS[name])}, not {unknown[0]}", where=where, hint=_EXAMPLE
            )
    return told


def smtp(home: Path) -> Smtp:
    """The mail server. Raises errors.Refused when none is named, errors.Invalid for settings that cannot be."""
    where, section = str(home / FILE), read(home).get("smtp")
    if section is None:
        hint = 'whoever owns the home names it: [smtp] host = "mail.example", sender = "ciranda@example.org"'
        raise errors.Refused("no mail server is named in settings.toml", where=where, hint=hint)
    security = section.get("security", "starttls")
    if security not in SECURITY:
        raise errors.Invalid(f"smtp.security is none of {', '.join(SECURITY)}", where=where)
    port = section.get("port", _PORTS[security])
    texts = {name: section.get(name, "") for name in ("host", "sender", "user", "password_file")}
    for name, value in texts.items():
        if not isinstance(value, str) or not value.isprintable():
            raise errors.Invalid(f"smtp.{name} is not a text", where=where)
    if not texts["host"] or not re.match(r"[^\s@<>]+@[^\s@<>]+\Z", texts["sender"]):
        raise errors.Invalid("smtp needs a host and a sender", where=where, hint='sender = "ciranda@example.org"')
    if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 65536:
        raise errors.Invalid("smtp.port is not a port", where=where)
    if texts["user"] and security == "none":
        raise errors.Invalid("smtp would send a password in the clear", where=where, hint='security = "starttls"')
    return Smtp(port=port, security=security, **texts)


def page(home: Path) -> str:
    """Under which address people reach the page, without a slash at its end; "" where it is not said. Raises errors.Invalid."""
    url = read(home).get("page", {}).get("url", "")
    if not isinstance(url, str) or (url and not re.match(r"https?://[^\s/]+", url)):
        raise errors.Invalid(
            "page.url is not an address", where=str(home / FILE), hint='url = "https://ciranda.example"'
        )
    return url.rstrip("/")


def prometheus(home: Path) -> str | None:
    """The address of the Prometheus that keeps this home's metrics; None: none is named. Raises errors.Invalid."""
    url = read(home).get("prometheus", {}).get("url")
    if url is None:
        return None
    if not isinstance(url, str) or not re.match(r"https?://[^\s/]+", url):
        raise errors.Invalid(
            "prometheus.url is not an address", where=str(home / FILE), hint='url = "http://127.0.0.1:9090"'
        )
    return url.rstrip("/")
