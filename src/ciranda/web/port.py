"""What the web asks of the rest: the port that `app.control.Control` fills, and the bounded threads in which it is asked."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

from ciranda.access import tokens
from ciranda.app.alerts import Alerts
from ciranda.app.feedback import Feedback
from ciranda.app.infra import Infra
from ciranda.app.metrics import Family
from ciranda.app.people import People
from ciranda.app.rollouts import Rollouts
from ciranda.kernel import store

P = ParamSpec("P")
T = TypeVar("T")


class Control(Protocol):
    """The acts and views that a face may ask for. Each may block; each raises `errors.CirandaError` for what it refuses."""

    people: People
    alerts: Alerts
    rollouts: Rollouts
    infra: Infra
    feedback: Feedback

    def user(self, token: str) -> tokens.User | None:
        """Whose token this is; None: nobody's."""

    def repository(self, name: str, *, create: bool) -> Path:
        """Where a repository lies; made at need if `create`. Raises errors.NotFound."""

    def record_push(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of a push (ARCHITECTURE.md §4): the window's request, the window's answer."""

    def rollback(
        self, project: str, environment: str, *, to: str | None, actor: str, reason: str, at: str = ""
    ) -> Mapping[str, Any]:
        """Take an environment back to an older release and hold it; `at` is the revision that was shown, if one was."""

    def hold(self, project: str, environment: str, *, release: bool, reason: str, actor: str) -> Mapping[str, Any]:
        """Hold an environment, or let it go if `release`."""

    def scale(self, project: str, environment: str, *, service: str, instances: int, actor: str) -> Mapping[str, Any]:
        """Run another number of instances of a service."""

    def job_run(self, project: str, environment: str, job: str, *, actor: str) -> Mapping[str, Any]:
        """Run a job of an environment now."""

    def job_retry(self, project: str, environment: str, job: str, *, actor: str) -> Mapping[str, Any]:
        """Let a job whose last run failed go on from there."""

    def refresh(self, project: str, *, actor: str) -> Mapping[str, Any]:
        """Look at a project's references; `id` is whose lines tell what comes of it."""

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Which of these objects the store does not have."""

    def incoming(self) -> AbstractContextManager[store.Incoming]:
        """An object that comes piece by piece."""

    def pieces(self, digest: str) -> tuple[int, Iterator[bytes]]:
        """The size and the bytes of an object. Raises errors.NotFound."""

    def config(
        self, project: str, environment: str, *, assign: Mapping[str, str], unset: Sequence[str], actor: str
    ) -> Mapping[str, Any]:
        """Set values of an environment's configuration, and take others back."""

    def secret(
        self, project: str, environment: str, *, name: str, value: bytes, declared: bool, actor: str
    ) -> Mapping[str, Any]:
        """Set a secret of an environment."""

    def clone(self, project: str, environment: str, *, to: str, secrets: bool, actor: str) -> Mapping[str, Any]:
        """Make an environment from what another one runs."""

    def reaction(self, project: str, number: int, *, approve: bool, reason: str, actor: str) -> Mapping[str, Any]:
        """A person's word on a reaction that asks for it."""

    def status(self, project: str | None) -> Mapping[str, Any]:
        """The state of the loop, of one project or of all."""

    def metrics(self) -> list[Family]:
        """What Prometheus is told."""

    def plan(self, project: str, environment: str, release: str | None) -> Mapping[str, Any]:
        """What moving an environment to a release would do."""

    def apply(self, plan: str, *, actor: str) -> Mapping[str, Any]:
        """Do what a plan says, known by its digest or the beginning of it. Raises errors.Stale when it is another one now."""

    def approve(self, plan: str, *, actor: str, note: str = "") -> Mapping[str, Any]:
        """Approve a plan, a change that asks a person, or (reviewed) an emergency."""

    def promote(
        self, project: str, environment: str, *, release: str, actor: str, emergency: str = "", plan: str = ""
    ) -> Mapping[str, Any]:
        """Make the plan of a release and apply it; `plan` is the digest that was shown, if one was."""

    def destroy(self, project: str, environment: str, *, plan: str, actor: str) -> Mapping[str, Any]:
        """Take everything out of an environment, as the plan with this digest says."""


class Rooms:
    """A bounded pool of threads in which the rooms, which block, are called."""

    def __init__(self, threads: int = 8) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="room")
        self.left = False  # the server goes away: what follows something ends

    def leave(self) -> None:
        """Let what would go on for long end now."""
        self.left = True

    async def call(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        """Call a function of a room in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(function, *arguments, **named))

    def close(self) -> None:
        """Let what runs end; take nothing more."""
        self._pool.shutdown(cancel_futures=True)
