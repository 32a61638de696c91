"""Outbound HTTP: the one client. A name is resolved once, its addresses are judged, and the connection goes to what was judged.

So neither a redirect nor a name that answers differently the second time (DNS rebinding) leads into a private network.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from ciranda.kernel import errors

CONNECT, READ = 10.0, 60.0  # seconds: until there is a connection; between two pieces of an answer
REDIRECTS = 5
LONGEST = 1 << 14  # bytes of the answer to something that was sent
_AGENT = "ciranda"
_REDIRECTS = (301, 302, 303, 307, 308)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be asked: everything (`everywhere`: somebody's own machine), else public addresses and what is allowed by name.

    `allowed` holds host names, addresses ("127.0.0.1") and networks ("10.0.0.0/8").
    """

    everywhere: bool = False
    allowed: tuple[str, ...] = ()


EVERYWHERE = Reach(everywhere=True)


@dataclass(frozen=True)
class Answer:
    """An answer whose body is still to be read. `url` is where it came from at last, `headers` by small name."""

    url: str
    status: int
    headers: Mapping[str, str]
    pieces: Iterator[bytes]


@contextmanager
def get(url: str, reach: Reach, headers: Mapping[str, str] | None = None) -> Iterator[Answer]:
    """Ask for an address, following redirects, each of which is judged like the first.

    Raises errors.Refused for an address that may not be asked, errors.Unreachable where nothing answers as it should.
    """
    import httpx

    limits = httpx.Timeout(READ, connect=CONNECT)
    asked = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **(headers or {})}
    with httpx.Client(timeout=limits, trust_env=False, verify=ssl.create_default_context()) as client:
        try:
            at = url
            for _ in range(REDIRECTS + 1):
                parts = _split(at)
                host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
                pinned = _pinned(parts, resolve(host, port, reach))
                given = {**asked, "Host": _netloc(parts)}
                request = client.build_request("GET", pinned, headers=given, extensions={"sni_hostname": host})
                answer = client.send(request, stream=True)
                try:
                    if answer.status_code not in _REDIRECTS or "location" not in answer.headers:
                        told = {name.lower(): value for name, value in answer.headers.items()}
                        yield Answer(at, answer.status_code, told, answer.iter_raw(1 << 20))
                        return
                    onwards = urljoin(at, answer.headers["location"])
                finally:
                    answer.close()
                if parts.scheme == "https" and urlsplit(onwards).scheme != "https":
                    raise errors.Refused("it redirects from https to what is not", where=at)
                at = onwards
            raise errors.Unreachable(f"it redirects more than {REDIRECTS} times", where=url)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            said = str(error) or type(error).__name__
            raise errors.Unreachable(f"it does not answer: {said}", where=url) from error


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of something that was sent: `body` at most `LONGEST` bytes of it."""

    status: int
    headers: Mapping[str, str]  # by small name
    body: bytes


def post(url: str, reach: Reach, body: bytes, headers: Mapping[str, str]) -> Reply:
    """Send something, within `CONNECT` seconds for each of its parts. A redirect is an answer: nothing is sent twice.

    Raises errors.Refused for an address that may not be asked, errors.Unreachable where nothing answers; neither says more of
    the address than its host, since whoever knows all of it may write there.
    """
    import httpx

    parts = _split(url)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    pinned = _pinned(parts, resolve(host, port, reach))
    given = {"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers, "Host": _netloc(parts)}
    try:
        with httpx.Client(timeout=CONNECT, trust_env=False, verify=ssl.create_default_context()) as client:
            request = client.build_request(
                "POST", pinned, content=body, headers=given, extensions={"sni_hostname": host}
            )
            answer = client.send(request, stream=True)
            try:
                kept, until = b"", time.monotonic() + CONNECT
                for piece in answer.iter_raw(LONGEST):
                    kept += piece
                    if len(kept) >= LONGEST or time.monotonic() > until:
                        break
            finally:
                answer.close()
            told = {name.lower(): value for name, value in answer.headers.items()}
            return Reply(answer.status_code, told, kept[:LONGEST])
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise errors.Unreachable(f"{host} does not answer: {str(error) or type(error).__name__}") from error


def resolve(host: str, port: int, reach: Reach) -> str:
    """The address that a name stands for, if every address that it stands for may be asked.

    Raises errors.Refused, errors.Unreachable for a name that nobody knows.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise errors.Unreachable(f"nobody knows the name {host}", where=host) from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        if not permitted(host, address, reach):
            said = f"{host} is {address}, which is" if host != address else f"{host} is"
            raise errors.Refused(
                f"{said} not a public address",
                where=host,
                hint="whoever owns the home may allow it: in its settings.toml, [outbound] allow = [" + f'"{host}"]',
            )
    return addresses[0]


def permitted(host: str, address: str, reach: Reach) -> bool:
    """Whether an address that a name stands for may be asked. Pure."""
    if reach.everywhere:
        return True
    found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if found.is_global and not found.is_multicast:
        return True
    for allowed in reach.allowed:
        if allowed.lower() == host.lower():
            return True
        try:
            network = ipaddress.ip_network(allowed, strict=False)
        except ValueError:
            continue
        if found.version == network.version and found in network:
            return True
    return False


Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _plain(address: Address) -> Address:
    """The IPv4 address that an IPv6 one carries (mapped, 6to4, Teredo, NAT64), else itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in ipaddress.ip_network("64:ff9b::/96"):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        known = parts.scheme in _PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    if not known:
        raise errors.Refused("this is not an address of http or https", where=url)
    return parts


def _netloc(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def _pinned(parts: SplitResult, address: str) -> str:
    """The URL with the address in place of the name."""
    bare: Any = f"[{address}]" if ":" in address else address
    netloc = bare if parts.port is None else f"{bare}:{parts.port}"
    return parts._replace(netloc=netloc, fragment="").geturl()
