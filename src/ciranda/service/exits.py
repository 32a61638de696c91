"""News of exits: the keeper says that a child has ended, and whoever decides looks at once. Standard library only.

A datagram to the socket `exits`. It may be lost: everybody who listens looks now and then anyway.
"""

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path

NAME = "exits"


def tell(folder: Path) -> None:
    """Say that something has ended, to whoever listens in this folder of sockets; nobody may."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.sendto(b"\0", str(folder / NAME))


class Listener:
    """Calls `heard` from a thread of its own whenever something has ended, until it is closed."""

    def __init__(self, folder: Path, heard: Callable[[], None]) -> None:
        """The last listener of a folder is the one that hears."""
        self._heard = heard
        self._closed = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        (folder / NAME).unlink(missing_ok=True)
        self._socket.bind(str(folder / NAME))
        self._thread = threading.Thread(target=self._run, name="exits", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hear no more."""
        self._closed.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._closed.is_set():
            if self._socket.recv(1) and not self._closed.is_set():
                self._heard()
