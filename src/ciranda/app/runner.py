"""The runner: claims tasks from the ledger and starts a process for each, which ends with it.

`python -I -m ciranda.app.runner --home DIR` is the keeper's child; `… --task` reads one claimed task from standard input and does it.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Protocol

from ciranda.app import home as homes
from ciranda.kernel import database, errors, log, process, store, tasks
from ciranda.loop import drifting, infra, job, judge, places, recheck, refresh, verify

LEAVE = 5.0  # seconds that the process of a task has to end when it took too long
LEASE = 6.0  # seconds: how long a task waits after its runner was killed
ATTEMPTS = 3  # a task whose process dies this often is given up
SLOTS = 2  # tasks at once that somebody waits for
ASIDE = {
    "job": 2,
    "infra": 2,
}  # of these so many at once, beside those tasks and never in their place: they may take hours
FULL = 1.0  # seconds between looks at a disk that is full
PR_SET_PDEATHSIG = 1  # prctl(2)


class Handler(Protocol):
    """What does the tasks of one kind; both end the task in the transaction that records what came of it."""

    def perform(self, task: tasks.Task, workshop: places.Workshop) -> None:
        """Do it."""

    def give_up(self, task: tasks.Task, workshop: places.Workshop, reason: str) -> None:
        """Record that it cannot be done."""


HANDLERS: Mapping[str, Handler] = {
    "judge": judge,
    "verify": verify,
    "recheck": recheck,
    "refresh": refresh,
    "job": job,
    "infra": infra,
    "profile": drifting,
}


@dataclass(slots=True)
class Running:
    """A task that a process of ours is doing."""

    task: tasks.Task
    child: subprocess.Popen[bytes]
    started: float
    renewed: float
    over: str = ""  # why it was ended before its time


def workshop(home: homes.Home, opened: database.Database, kept: store.Store) -> places.Workshop:
    """What tasks work with."""
    return places.Workshop(
        database=opened, store=kept, repositories=home.repositories, lines=home.lines, interpreters=home.interpreters,
        runs=home.runs, trees=home.trees, home=home.root, gateway=lambda: homes.gateway(home),
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Be the runner, or do one task."""
    parser = argparse.ArgumentParser(prog="ciranda.app.runner")
    parser.add_argument("--home", required=True)
    parser.add_argument("--task", action="store_true")
    parsed = parser.parse_args(arguments)
    home = homes.locate(parsed.home)
    with homes.opened(home) as (opened, kept):
        if parsed.task:
            return perform(workshop(home, opened, kept))
        return serve(home, opened, workshop(home, opened, kept))


def perform(bench: places.Workshop) -> int:
    """Do the task on standard input, and die with the runner."""
    _die_with_parent()
    told = sys.stdin.read()
    if not told:
        return 0  # the runner died before it could say what to do
    task = tasks.Task(**json.loads(told))
    if os.getppid() != int(task.worker.partition(":")[0]):
        return 0  # the runner died before its end could be bound to ours: the next one has the task
    handler = HANDLERS[task.kind]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        handler.perform(task, bench)
    except KeyboardInterrupt:
        return 0  # it took too long: the runner records that
    except errors.Fenced:
        return 0  # somebody else has it now; nothing of ours was recorded
    except errors.CirandaError as error:
        log.say(f"{task.kind} {task.subject}: {error}")
        said = " ".join(part for part in (error.where, str(error)) if part)
        _give_up(handler, task, bench, "; ".join(part for part in (said, error.hint) if part))
    return 0


def _give_up(handler: Handler, task: tasks.Task, bench: places.Workshop, reason: str) -> None:
    """Record that a task cannot be done, as soon as there is room to record it: until then it is nobody else's."""
    while True:
        try:
            handler.give_up(task, bench, reason)
        except errors.StorageFull:
            time.sleep(FULL)
        except errors.Fenced:
            return
        else:
            return


def serve(home: homes.Home, opened: database.Database, bench: places.Workshop) -> int:
    """Claim and start tasks until SIGTERM; what is under way then is ended and taken up again by the next runner."""
    stopping = threading.Event()
    waiter = opened.waiter()

    def stop(*_: object) -> None:
        stopping.set()
        waiter.wake()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    own = process.of(os.getpid())
    assert own is not None
    worker = _name(own)
    running: list[Running] = []
    try:
        for other in tasks.workers(opened):
            if not _lives(other):
                tasks.release_held(opened, other)  # killed: its lease need not be waited for
        _sweep(home, opened)
        while not stopping.is_set():
            try:
                for one in list(running):
                    if _ended(one, opened, bench):
                        running.remove(one)
                tasks.release_expired(opened)
                while (kinds := _free(running)) and (
                    task := tasks.claim(opened, worker=worker, kinds=kinds, lease=LEASE)
                ):
                    now = time.monotonic()
                    running.append(Running(task, _start(home, task), now, now))
            except errors.StorageFull as error:
                log.say(f"it goes on when there is room: {error}")
                stopping.wait(FULL)
            waiter.wait(0.1 if running else 1.0)
    finally:
        for one in running:
            one.child.terminate()
        for one in running:
            one.child.wait()
            with suppress(errors.StorageFull):  # else its lease ends by itself
                tasks.renew(opened, one.task, 0.0)
        waiter.close()
    return 0


def _name(identity: process.Identity) -> str:
    return f"{identity.pid}:{identity.start}:{identity.boot[:8]}"


def _lives(worker: str) -> bool:
    """Whether the runner of this name still runs on this machine; one home has one machine."""
    found = process.of(int(worker.partition(":")[0]))
    return found is not None and _name(found) == worker


def _sweep(home: homes.Home, opened: database.Database) -> None:
    """Remove the folders of tasks that ended without their process: it was killed after it had said what came of them."""
    there = [folder for kind in HANDLERS for folder in home.runs.glob(f"{kind}-*")]
    needed = {f"{kind}-{subject}" for kind, subject in tasks.unfinished(opened)}
    for folder in there:
        if folder.name.rpartition("-")[0] not in needed:
            shutil.rmtree(folder, ignore_errors=True)


def _free(running: Sequence[Running]) -> list[str]:
    """The kinds of tasks for which there is room: a job that takes hours keeps no push waiting."""
    aside = {kind: sum(one.task.kind == kind for one in running) for kind in ASIDE}
    kinds = [kind for kind in HANDLERS if kind not in ASIDE] if len(running) - sum(aside.values()) < SLOTS else []
    return [*kinds, *(kind for kind, most in ASIDE.items() if aside[kind] < most)]


def _start(home: homes.Home, task: tasks.Task) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-I", "-m", "ciranda.app.runner", "--home", str(home.root), "--task"]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE)
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(asdict(task)).encode())
        child.stdin.close()
    except BrokenPipeError:
        pass  # it died already: `_ended` sees it
    return child


def _ended(one: Running, opened: database.Database, bench: places.Workshop) -> bool:
    """Whether the process of a task has ended; keeps its lease until then, and decides what becomes of a task that it left undone."""
    if one.child.poll() is None:
        most, spent = one.task.body.get("timeout"), time.monotonic() - one.started
        if most is not None and spent > most:
            if not one.over:
                one.over = f"it took longer than {most:g} s"
                one.child.send_signal(signal.SIGINT)  # so that it ends its workers
            elif spent > most + LEAVE:
                one.child.kill()
        if time.monotonic() - one.renewed > LEASE / 3:
            if not tasks.renew(opened, one.task, LEASE):
                one.child.kill()
            one.renewed = time.monotonic()
        return False
    if tasks.get(opened, one.task.id).state == "claimed":
        if one.over or one.task.attempts >= ATTEMPTS:
            died = f"its process died {one.task.attempts} times; see logs/runner.log"
            HANDLERS[one.task.kind].give_up(one.task, bench, one.over or died)
        else:
            tasks.renew(opened, one.task, 0.0)
    return True


def _die_with_parent() -> None:
    """A task's process ends with its runner, however that ends (prctl(2), Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
