"""The API from the command line: JSON over HTTP, with the standard library alone."""

import http.client
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from ciranda.app import home as homes
from ciranda.kernel import errors

_PIECE = 1 << 20  # bytes that are read at once
TIMEOUT = 60.0  # seconds for one answer


@dataclass(frozen=True, slots=True)
class Client:
    """A server's API, and the token by which it knows who asks."""

    url: str
    token: str = ""
    timeout: float = TIMEOUT

    def get(self, path: str, **query: str | None) -> dict[str, Any]:
        """Ask: `get("status", project="flights")`. Raises what the server refused, or errors.Unreachable."""
        asked = {name: value for name, value in query.items() if value is not None}
        return self._answer("GET", path + (f"?{urlencode(asked)}" if asked else ""), None)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        """Act: `post("rollback", project="flights", environment="prod")`. Raises what the server refused, or errors.Unreachable."""
        return self._answer("POST", path, json.dumps(body).encode())

    def lines(self, change: str) -> Iterator[dict[str, Any]]:
        """The lines of a change as they are written, until its end. Raises errors.Unreachable when the server stops before."""
        record: dict[str, Any] = {}
        with self._asked("GET", f"changes/{change}/lines", None) as response:
            for line in response:
                record = json.loads(line)
                yield record
        if not record.get("ends"):
            raise errors.Unreachable(
                "the server has stopped; the change goes on when it is back", where=self.url, hint="ciranda status"
            )

    def send(self, path: str, size: int, pieces: Iterable[bytes]) -> dict[str, Any]:
        """Stream `size` bytes to a path. Raises what the server refused, or errors.Unreachable."""
        headers = {"Content-Length": str(size), "Content-Type": "application/octet-stream"}
        with self._asked("PUT", path, pieces, headers) as response:
            return _parsed(response.read())

    @contextmanager
    def receive(self, path: str) -> Iterator[Iterator[bytes]]:
        """The bytes of a path as they come. Raises what the server refused, or errors.Unreachable."""
        with self._asked("GET", path, None) as response:
            yield iter(lambda: response.read(_PIECE), b"")

    def _answer(self, method: str, path: str, body: bytes | None) -> dict[str, Any]:
        with self._asked(method, path, body) as response:
            return _parsed(response.read())

    @contextmanager
    def _asked(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None, more: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        address = urlsplit(self.url)
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(address.hostname or "", address.port, timeout=self.timeout)
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= {"Content-Type": "application/json"} if isinstance(body, bytes) else dict(more or {})
        try:
            with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer says why
                connection.request(method, f"{address.path}/api/v1/{path}", body, headers)
            response = connection.getresponse()
            if response.status >= 400:
                raise refused(response.status, response.read())
            yield response
        except (OSError, http.client.HTTPException) as error:
            said = str(error) or type(error).__name__
            raise errors.Unreachable(
                f"the server does not answer: {said}", where=self.url, hint="start it: ciranda up"
            ) from None
        finally:
            connection.close()


def of_home(home: homes.Home, *, timeout: float = TIMEOUT) -> Client:
    """The API of the server of this home, as whoever has the token in `CIRANDA_TOKEN`, else owns the home.

    Raises errors.Unreachable when nothing was ever up here.
    """
    try:
        known = json.loads((home.state / "server.json").read_text())
        token = os.environ.get("CIRANDA_TOKEN") or home.token.read_text().strip()
        return Client(str(known["url"]), token, timeout)
    except FileNotFoundError:
        raise errors.Unreachable(
            "no server has run here yet", where=str(home.root), hint="start one: ciranda up"
        ) from None


def refused(status: int, body: bytes) -> errors.CirandaError:
    """The error that the server told, as it was raised there."""
    try:
        told = json.loads(body)
    except ValueError:
        return errors.Unreachable(f"the server answered {status} without saying why")
    if not isinstance(told, Mapping):
        return errors.Unreachable(f"the server answered {status} without saying why")
    kind = getattr(errors, str(told.get("kind", "")), errors.Refused)
    if not (isinstance(kind, type) and issubclass(kind, errors.CirandaError)):
        kind = errors.Refused
    return kind(str(told.get("error", status)), where=str(told.get("where", "")), hint=str(told.get("hint", "")))


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except ValueError:
        raise errors.Unreachable("the server answered what is not JSON") from None
    if not isinstance(answer, dict):
        raise errors.Unreachable("the server answered what is not an object")
    return answer
