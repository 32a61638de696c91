"""`git http-backend` as a CGI program (RFC 3875): the environment it gets, the head it answers with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import errors
from ciranda.versions import repositories
from ciranda.web.authority import Headers

ARGV = ("git", "http-backend")
LARGEST_HEAD = 1 << 16  # bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to Git: the method, the path inside the repository, the query, who asks."""

    method: str
    repository: Path
    path: str
    query: str
    user: str
    peer: str
    headers: Headers


@dataclass(frozen=True, slots=True)
class Head:
    """What the program says before the body: the HTTP status and the headers."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]


def environment(asked: Asked, window: Path, inherited: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a CGI request for a repository; no secret is among them. `window` is the file that the push's two hooks share."""
    variables = {
        "GATEWAY_INTERFACE": "CGI/1.1",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REQUEST_METHOD": asked.method,
        "GIT_PROJECT_ROOT": str(asked.repository.parent),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{asked.repository.name}/{asked.path}",
        "QUERY_STRING": asked.query,
        "REMOTE_USER": asked.user,
        "REMOTE_ADDR": asked.peer,
        "CIRANDA_WINDOW": str(window),
    }
    for name, variable in (
        (b"content-type", "CONTENT_TYPE"),
        (b"content-length", "CONTENT_LENGTH"),
        (b"content-encoding", "HTTP_CONTENT_ENCODING"),
        (b"git-protocol", "GIT_PROTOCOL"),
    ):
        if name in asked.headers:
            variables[variable] = asked.headers[name].decode("latin-1")
    return repositories.environment(asked.repository, inherited) | variables


def split_head(data: bytes) -> tuple[bytes, bytes] | None:
    """The head and what is already there of the body; None: the head is not whole yet. Raises errors.Corrupt for one that is too long."""
    ends = [(at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    if not ends:
        if len(data) > LARGEST_HEAD:
            raise errors.Corrupt("git http-backend answered without a head")
        return None
    at, length = min(ends)
    return data[:at], data[at + length :]


def parse_head(head: bytes) -> Head:
    """`Status: 404 Not Found` and headers, one a line."""
    status, headers = 200, []
    for line in head.splitlines():
        name, _, value = line.partition(b":")
        if name.lower() == b"status":
            status = int(value.split()[0])
        elif name:
            headers.append((name.strip().lower(), value.strip()))
    return Head(status, tuple(headers))
