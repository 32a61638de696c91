"""The gateway's own socket: one JSON line a request, one a reply.

    {"type": "reload", "serial": N}   → {"ok": true, "serial"} once the table with that serial, or a later one, is in
    force {"type": "state"}                 → {"ok": true, "serial", "pid", "in_flight": {instance: n}, "clients": n}
    {"type": "listeners"}             → {"ok": true, "listeners": [name, …]} with as many descriptors beside it
    (SCM_RIGHTS)

What fails is answered with {"ok": false, "error"}; the table in force stays.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, files
from ciranda.kernel.failpoints import failpoint
from ciranda.service import table
from ciranda.service.gateway.force import Force

_LONGEST = 64 * 1024  # bytes of a request


class Tables:
    """Takes tables from the file into force, and keeps the last good one beside it."""

    def __init__(self, path: Path, force: Force) -> None:
        self.path = path
        self.good = path.with_name("routes.good.json")
        self.force = force

    def begin(self) -> str | None:
        """Put the file in force; when it cannot be read the last good one, else none. Returns what was wrong."""
        wrong = ""
        for path in (self.path, self.good):
            try:
                self.force.put(table.load(path))
            except errors.Corrupt as error:
                wrong = wrong or str(error)
            else:
                break
        return wrong or None

    def reload(self, serial: int) -> int:
        """Put the file in force if it is at least this serial; returns the serial in force. Raises errors.CirandaError."""
        wanted = table.load(self.path)
        if wanted.serial < max(serial, self.force.serial):
            raise errors.Stale(f"the routes table has serial {wanted.serial}, not {max(serial, self.force.serial)}")
        self.force.put(wanted)
        failpoint("gateway.swapped")
        beside = self.good.with_name(f".{self.good.name}.{os.getpid()}")
        try:
            with files.room(self.good.parent):
                beside.write_bytes(table.encode(wanted))  # not synced: it only stands in for a file that is
                beside.rename(self.good)
        except errors.StorageFull:
            beside.unlink(missing_ok=True)
        return wanted.serial


class Admin:
    """Answers on the socket, from the gateway's own loop."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        path: Path,
        tables: Tables,
        listeners: Mapping[str, int],
        clients: Callable[[], int],
    ) -> None:
        self._loop = loop
        self._tables = tables
        self._listeners = listeners
        self._clients = clients
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path.unlink(missing_ok=True)
        self._socket.bind(os.fspath(path))
        self._socket.listen(64)
        self._socket.setblocking(False)
        loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except OSError:
            return
        connection.setblocking(False)
        self._loop.add_reader(connection, self._read, connection, bytearray())

    def _read(self, connection: socket.socket, held: bytearray) -> None:
        try:
            data = connection.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        held += data
        while data and b"\n" in held:
            line, _, rest = bytes(held).partition(b"\n")
            held[:] = rest
            if not self._reply(connection, line):
                data = b""
        if not data or len(held) > _LONGEST:
            self._loop.remove_reader(connection)
            connection.close()

    def _reply(self, connection: socket.socket, line: bytes) -> bool:
        descriptors: list[int] = []
        try:
            request = json.loads(line)
            match request["type"]:
                case "reload":
                    answer: dict[str, Any] = {"ok": True, "serial": self._tables.reload(int(request["serial"]))}
                case "state":
                    force = self._tables.force
                    answer = {"ok": True, "serial": force.serial, "pid": os.getpid(), "in_flight": force.in_flight()}
                    answer["clients"] = self._clients()
                case "listeners":
                    answer = {"ok": True, "listeners": list(self._listeners)}
                    descriptors = list(self._listeners.values())
                case other:
                    answer = {"ok": False, "error": f"{other!r} is nothing that can be asked"}
        except (ValueError, KeyError, TypeError, errors.CirandaError) as error:
            answer = {"ok": False, "error": str(error) or type(error).__name__}
        try:
            # a reply is far smaller than the buffer of an empty socket
            socket.send_fds(connection, [json.dumps(answer).encode() + b"\n"], descriptors)
        except OSError:
            return False
        return True
