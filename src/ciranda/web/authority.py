"""Who asks, under which name, from which page: decided from a request's headers."""

import base64
import binascii
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ciranda.access import tokens
from ciranda.kernel import errors

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
PROXIED = (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip")  # what proxies add
Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Denied:
    """A request that is not answered: the HTTP status, what was wrong, and the next step."""

    status: int
    error: str
    hint: str = ""


def headers_of(raw: Iterable[tuple[bytes, bytes]]) -> Headers:
    """ASGI's headers by name; of a name that comes twice, the last."""
    return {name.lower(): value for name, value in raw}


def addresses(port: int) -> frozenset[str]:
    """The names under which a server on loopback answers: anything else is a page of somebody else's (DNS rebinding)."""
    return frozenset(f"{name}:{port}" for name in LOOPBACK) | (frozenset(LOOPBACK) if port == 80 else frozenset())


def check_source(headers: Headers, known: frozenset[str]) -> Denied | None:
    """Refuse a request for another host, and one that a page of another origin sends."""
    host = headers.get(b"host", b"").decode("latin-1").lower()
    if host not in known:
        return Denied(403, f"this server does not answer under the name {host!r}", f"use http://{min(known)}")
    origin = headers.get(b"origin")
    if origin is not None and origin.decode("latin-1").lower() not in {f"http://{name}" for name in known}:
        return Denied(403, "a page of another origin may not ask this server")
    return None


def direct(client: str, headers: Headers) -> bool:
    """Whether a request comes from this machine and no proxy sent it on: what a proxy is answered may go anywhere."""
    try:
        here = ipaddress.ip_address(client).is_loopback
    except ValueError:
        return False
    return here and not any(name in headers for name in PROXIED)


def token_of(headers: Headers) -> str | None:
    """The token of a request: `Bearer TOKEN`, or the password of `Basic` (Git)."""
    scheme, _, value = headers.get(b"authorization", b"").decode("latin-1").strip().partition(" ")
    match scheme.lower():
        case "bearer":
            return value.strip() or None
        case "basic":
            try:
                pair = base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                return None
            return pair.partition(":")[2] or None
    return None


def check_user(
    user: tokens.User | None, token: str | None, role: tokens.Role, project: str = "", environment: str = ""
) -> Denied | None:
    """Refuse a request without a token, with one that nobody has, and one whose user's role does not reach there.

    Where no project is named the role must hold for every one.
    """
    denied = check_known(user, token)
    return denied if denied is not None or user is None else check_role(user, role, project, environment)


def check_known(user: tokens.User | None, token: str | None) -> Denied | None:
    """Refuse a request without a token, and one with a token that nobody has."""
    if token is None:
        return Denied(
            401, "a token is needed", "the first one is in the file `token` of the home; give it as the password"
        )
    if user is None:
        return Denied(401, "nobody here has this token", "it was revoked, is too old, or never was: ciranda login URL")
    return None


def check_role(user: tokens.User, role: tokens.Role, project: str = "", environment: str = "") -> Denied | None:
    """Refuse a user whose role does not reach there."""
    try:
        tokens.require(user, role, project, environment)
    except errors.Refused as error:
        return Denied(403, str(error), error.hint)
    return None
