"""All children of a keeper: recorded before anyone is told of them, watched, and buried. Standard library only."""

import contextlib
import os
import selectors
import signal as signals
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ciranda.kernel import errors, log, process
from ciranda.kernel.failpoints import failpoint
from ciranda.service import children
from ciranda.service.children import Child


class Family:
    """The children of one home, and their record in a file."""

    def __init__(self, path: Path, home: str, selector: selectors.BaseSelector, left: Callable[[Child], None]) -> None:
        """`left` is called with each child that has exited. The selector's keys carry what is to be called."""
        self._path = path
        self._home = home
        self._selector = selector
        self._left = left
        self._popens: dict[str, subprocess.Popen[bytes]] = {}
        self.members: dict[str, Child] = {}

    def adopt(self) -> None:
        """Take over what an earlier keeper recorded and still lives; what it could not record any more is killed."""
        for child in children.load(self._path):
            alive = child.exit is None and process.alive(child.identity)
            if alive:
                self.members[child.id] = child
                self._watch(child)
            elif child.role == "instance":
                if child.exit is None and child.inner is not None:
                    process.signal(child.inner, signals.SIGKILL)
                self.members[child.id] = replace(child, exit=child.exit or "unknown", kill_us=None)
        for pid in children.strays(self._home, self.members):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signals.SIGKILL)
        self.record()

    def living(self) -> list[Child]:
        return [child for child in self.members.values() if child.exit is None]

    def get(self, name: str) -> Child:
        """Raises errors.NotFound."""
        child = self.members.get(name)
        if child is None:
            raise errors.NotFound(f"there is no process {name}")
        return child

    def record(self) -> None:
        """Raises errors.StorageFull."""
        children.save(self._path, self.members.values())

    def spawn(
        self,
        name: str,
        role: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: str,
        log: str,
        drain: float,
        spec: str = "",
        note: Mapping[str, Any] = MappingProxyType({}),
        inner: bool = False,
        descriptors: Sequence[int] = (),
        streams: children.Streams | None = None,
    ) -> Child:
        """Start and record a child; one that cannot be recorded is killed. Raises OSError, errors.StorageFull."""
        env = {**env, children.MARK: f"{self._home}:{name}"}
        started_us = time.time_ns() // 1000
        spawned = children.spawn(
            argv, env=env, cwd=cwd, log=log, inner=inner, descriptors=descriptors, streams=streams or children.Streams()
        )
        failpoint("keeper.spawned")
        child = Child(name, role, spawned.identity, spawned.inner, spec, log, drain, started_us, dict(note))
        self.members[name] = child
        try:
            self.record()
        except errors.StorageFull:
            del self.members[name]
            children.signal(child, signals.SIGKILL)
            spawned.popen.kill()
            spawned.popen.wait()
            raise
        failpoint("keeper.recorded")
        self._popens[name] = spawned.popen
        self._watch(child)
        return child

    def signal(self, name: str, number: int | None, kill_after: float | None) -> Child:
        """Signal a child, or only set when it is killed (seconds from now); an exited one stays as it is."""
        child = self.get(name)
        if child.exit is not None:
            return child
        if kill_after is not None:
            child = replace(child, kill_us=time.time_ns() // 1000 + int(kill_after * 1e6))
        child = replace(child, terminated=child.terminated or number is not None)
        self.members[name] = child
        self._record_or_say()
        if number is not None:
            children.signal(child, number)
        return child

    def _exited(self, name: str, descriptor: int | None = None) -> None:
        """A child has exited: its status, its remains, its record."""
        if descriptor is not None:
            self._selector.unregister(descriptor)
            os.close(descriptor)
        child = self.members[name]
        popen = self._popens.pop(name, None)
        if popen is None:  # adopted: its number may be another's by now, and its status went to another parent
            if child.inner is not None:
                process.signal(child.inner, signals.SIGKILL)
            said = "unknown"
        else:
            children.end(child)
            said = children.words(child, popen.wait())
        say(f"{name} exited: {said}")
        child = replace(child, exit=said, kill_us=None)
        if child.role == "instance":
            self.members[name] = child
        else:
            del self.members[name]
        self._record_or_say()
        self._left(child)

    def forget(self, name: str) -> None:
        """Drop an exited child. Raises errors.Refused while it runs."""
        if self.get(name).exit is None:
            raise errors.Refused(f"{name} still runs")
        del self.members[name]
        self._record_or_say()

    def kill_overdue(self) -> None:
        """Kill those whose time is up."""
        for child in self.living():
            if child.kill_us is not None and child.kill_us <= time.time_ns() // 1000:
                self.members[child.id] = replace(child, kill_us=None)
                children.signal(child, signals.SIGKILL)

    def patience(self) -> list[float]:
        """Seconds until each child that is to be killed."""
        return [child.kill_us / 1e6 - time.time() for child in self.living() if child.kill_us is not None]

    def terminate(self, child: Child) -> None:
        """Tell a child to leave within its drain; recorded if there is room to."""
        kill_us = time.time_ns() // 1000 + int(child.drain * 1e6)
        self.members[child.id] = replace(child, terminated=True, kill_us=kill_us)
        self._record_or_say()
        children.signal(child, signals.SIGTERM)

    def _record_or_say(self) -> None:
        try:
            self.record()
        except errors.StorageFull as error:
            say(f"children are not recorded: {error}")  # the next keeper finds out by itself

    def _watch(self, child: Child) -> None:
        try:
            descriptor = os.pidfd_open(child.identity.pid)
        except ProcessLookupError:  # adopted, and gone since it was looked at
            self._exited(child.id)
        else:
            self._selector.register(descriptor, selectors.EVENT_READ, partial(self._exited, child.id, descriptor))


def say(text: str) -> None:
    """A line in the keeper's log."""
    log.say(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}")
