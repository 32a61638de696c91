"""The `control` socket: one JSON line a request, one a reply (ARCHITECTURE.md §13). The windows of pushes ask here."""

import json
import os
import socket
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from ciranda.kernel import errors, log

LONGEST = 1 << 20  # bytes of a request
THREADS = 8
PATIENCE = 30.0  # seconds for a request to arrive whole
MISTAKE = {"ok": False, "error": "Ciranda has made a mistake; its traceback is in logs/control.log"}

Answer = Callable[[dict[str, Any]], Mapping[str, Any]]


class LocalServer:
    """Listens on a socket of the home and answers each connection in one of a few threads."""

    def __init__(self, path: Path, answers: Mapping[str, Answer]) -> None:
        """`answers`: what to call for a request, by its `type`."""
        self._path, self._answers = path, answers
        fresh = path.with_name(f"{path.name}.{os.getpid()}")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with suppress(FileNotFoundError):
            fresh.unlink()
        self._listener.bind(str(fresh))
        self._listener.listen(64)
        self._inode = fresh.stat().st_ino
        os.replace(fresh, path)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="window")
        self._thread = Thread(target=self._accept, name="control-socket", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take nothing more, let what runs end, and remove the socket if it is still ours."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self._pool.shutdown()
        with suppress(FileNotFoundError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._pool.submit(self._serve, connection).add_done_callback(_log_crash)

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE)
            with connection.makefile("rb") as stream:
                line = stream.readline(LONGEST + 1)
            if not line.endswith(b"\n"):
                return
            reply: Mapping[str, Any] = MISTAKE
            try:
                reply = answer(line, self._answers)
            finally:  # a fault of ours is answered too, and goes on into the log
                with suppress(OSError):
                    connection.sendall(json.dumps(reply).encode() + b"\n")


def _log_crash(served: Future[None]) -> None:
    if (error := served.exception()) is not None:
        log.say("".join(traceback.format_exception(error)).rstrip())


def answer(line: bytes, answers: Mapping[str, Answer]) -> Mapping[str, Any]:
    """The reply to one request; what is refused, or is no request, is said in `error`."""
    try:
        request = json.loads(line)
    except ValueError:
        return {"ok": False, "error": "that is not JSON"}
    kind = request.get("type") if isinstance(request, dict) else None
    if not isinstance(kind, str) or kind not in answers:
        return {
            "ok": False,
            "error": f"there is no request of the type {kind!r}; there are {', '.join(sorted(answers))}",
        }
    try:
        return answers[kind](request)
    except errors.CirandaError as error:
        return {"ok": False, "error": str(error), "where": error.where, "hint": error.hint}
    except (KeyError, TypeError, ValueError) as error:
        return {"ok": False, "error": f"the request {kind} is not as it should be: {error!r}"}
    except OSError as error:
        log.say(f"the request {kind} failed: {error!r}")
        return {"ok": False, "error": f"the server could not do it: {error.strerror or error}"}
