"""A unix socket on which one JSON line asks and one answers, any number of them on a connection. Standard library only."""

import json
import selectors
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ciranda.kernel import errors

_LONGEST = 1 << 20  # bytes of a request
_PATIENCE = 1.0  # seconds for a reply to be taken


class Desk:
    """Takes connections from a listening socket in the loop of a selector, whose keys carry what is to be called."""

    def __init__(
        self,
        listener: socket.socket,
        selector: selectors.BaseSelector,
        answer: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    ) -> None:
        """`answer` may raise errors.CirandaError, OSError, and what malformed requests lead to."""
        self._listener = listener
        self._selector = selector
        self._answer = answer
        selector.register(listener, selectors.EVENT_READ, self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone, or there is no descriptor for it
        connection.settimeout(_PATIENCE)
        self._selector.register(connection, selectors.EVENT_READ, partial(self._read, connection, bytearray()))

    def _read(self, connection: socket.socket, held: bytearray) -> None:
        try:
            data = connection.recv(1 << 16)
        except OSError:
            data = b""
        held += data
        while data and b"\n" in held:
            line, _, rest = bytes(held).partition(b"\n")
            held[:] = rest
            if not _reply(connection, self._answered(line)):
                data = b""
        if not data or len(held) > _LONGEST:
            self._selector.unregister(connection)
            connection.close()

    def _answered(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": True, **self._answer(json.loads(line))}
        except (errors.CirandaError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            return {"ok": False, "error": str(error) or type(error).__name__}


def _reply(connection: socket.socket, answer: Mapping[str, Any]) -> bool:
    try:
        connection.sendall(json.dumps(answer).encode() + b"\n")
    except OSError:
        return False
    return True
