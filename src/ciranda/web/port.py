"""What the web asks of the rest: the port that `app.control.Control` fills, and the bounded threads in which it is asked."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from ciranda.access import tokens

P = ParamSpec("P")
T = TypeVar("T")


class Control(Protocol):
    """The acts and views that a face may ask for. Each may block; each raises `errors.CirandaError` for what it refuses."""

    def user(self, token: str) -> tokens.User | None:
        """Whose token this is; None: nobody's."""

    def repository(self, name: str, *, create: bool) -> Path:
        """Where a repository lies; made at need if `create`. Raises errors.NotFound."""

    def record_push(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of a push (ARCHITECTURE.md §4): the window's request, the window's answer."""

    def rollback(self, project: str, environment: str, *, to: str | None, actor: str, reason: str) -> Mapping[str, Any]:
        """Take an environment back to an older release and hold it."""

    def hold(self, project: str, environment: str, *, release: bool, reason: str, actor: str) -> Mapping[str, Any]:
        """Hold an environment, or let it go if `release`."""

    def scale(self, project: str, environment: str, *, service: str, instances: int, actor: str) -> Mapping[str, Any]:
        """Run another number of instances of a service."""

    def status(self, project: str | None) -> Mapping[str, Any]:
        """The state of the loop, of one project or of all."""

    def metrics(self) -> bytes:
        """What Prometheus is told, in its text format."""

    def plan(self, project: str, environment: str, release: str | None) -> Mapping[str, Any]:
        """What moving an environment to a release would do."""


class Rooms:
    """A bounded pool of threads in which the rooms, which block, are called."""

    def __init__(self, threads: int = 8) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="room")

    async def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function of a room in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *arguments, **named))

    def close(self) -> None:
        """Let what runs end; take nothing more."""
        self._pool.shutdown(cancel_futures=True)
