"""The runner as a process: what a killed one held is taken up at once, what a living one holds is left alone."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.kernel import process, tasks
from ciranda.kernel.database import Database

PATIENCE = 20.0  # seconds


@contextmanager
def running(home: homes.Home) -> Iterator[None]:
    runner = subprocess.Popen([sys.executable, "-I", "-m", "ciranda.app.runner", "--home", str(home.root)])
    try:
        yield
    finally:
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(PATIENCE) == 0


def name(pid: int) -> str:
    """What the runner of this process would be called."""
    found = process.of(pid)
    assert found is not None
    return f"{found.pid}:{found.start}:{found.boot[:8]}"


def claimed(database: Database, subject: str, worker: str) -> str:
    """A task that somebody holds for an hour; of a change that is not there, so that it ends at once."""
    task = database.write(lambda tx: tasks.put(tx, kind="judge", subject=subject, body={}))
    assert tasks.claim(database, worker=worker, kinds=["judge"], lease=3600)
    return task


@pytest.fixture
def home(tmp_path: Path) -> Iterator[homes.Home]:
    made = homes.Home(tmp_path / "home")
    homes.create(made)
    yield made
    shutil.rmtree(made.sockets)


def test_only_what_a_dead_runner_held_or_left_is_taken_or_removed(home: homes.Home) -> None:
    gone = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    with gone:
        dead = name(gone.pid)
    with homes.opened(home) as (database, _):
        theirs = claimed(database, "change-1", dead)
        living = claimed(database, "change-2", name(os.getpid()))
        for folder in ("judge-change-0-1", "judge-change-1-1", "judge-change-2-1", "verify-x-1"):
            (home.runs / folder / "tree").mkdir(parents=True)
        with running(home):
            until = time.monotonic() + PATIENCE
            waiter = database.waiter()
            while tasks.get(database, theirs).state != "done" and time.monotonic() < until:
                waiter.wait(0.1)
            waiter.close()
        assert tasks.get(database, theirs).state == "done"
        assert tasks.get(database, living).state == "claimed"
    assert {folder.name for folder in home.runs.iterdir()} <= {"judge-change-1-1", "judge-change-2-1"}
    assert (home.runs / "judge-change-2-1").is_dir()


def test_a_process_whose_runner_died_before_it_was_told_or_bound_does_nothing(home: homes.Home) -> None:
    argv = [sys.executable, "-I", "-m", "ciranda.app.runner", "--home", str(home.root), "--task"]
    with homes.opened(home) as (database, _):
        for worker, ends in ((f"{os.getppid()}:1:boot", "claimed"), (f"{os.getpid()}:1:boot", "done")):
            task = database.write(lambda tx, ends=ends: tasks.put(tx, kind="judge", subject=ends, body={}))
            held = tasks.claim(database, worker=worker, kinds=["judge"], lease=3600)
            told = json.dumps(asdict(held))
            subprocess.run(argv, input=told.encode(), check=True, timeout=PATIENCE)
            assert tasks.get(database, task).state == ends
    subprocess.run(argv, input=b"", check=True, timeout=PATIENCE)
