"""The shortest run: where no file of a working tree was touched since a run that had everything, there is nothing to ask.

It looks at what a change of a file changes (size, times, inode), at the commit and at what is installed, reads nothing and
imports little; whatever else has changed, or may have, is for the engine to find out.
"""

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import clock, digest, events, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.pipeline import tree
from ciranda.version import __version__

sql = statements.load("ciranda.pipeline")
_RUNTIME = Path(__file__).parents[1] / "runtime"
_RULING = (
    "ciranda.toml",
    "uv.lock",
    "requirements.txt",
    "pyproject.toml",
    ".python-version",
)  # counts even if Git ignores it


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A run that found nothing to do."""

    run: str
    number: int
    steps: int
    seconds: float


def state(working: tree.Tree, marks: Mapping[str, str]) -> str:
    """The digest of everything that a run by hand depends on, as far as it shows without reading."""
    told = [__version__, sys.version, str(working.commit), str(working.dirty), *_installed(), *_ruling(working.path)]
    told += [f"{path}\0{marks[path]}" for path in sorted(marks)]
    return digest.digest("code", "\n".join(told).encode("utf-8", "surrogateescape"))


def settled(marks: Mapping[str, str], seen_ns: int) -> bool:
    """Whether no file was touched so shortly before it was looked at that its times might not tell of a further touch."""
    times = (int(part) for found in marks.values() for part in found.split()[1:3])
    return max(times, default=0) < seen_ns - tree.RACY


def keep(tx: Transaction, folder: Path, told: str, project: str, run: str, checks: int) -> None:
    """Remember that this run had everything, and `checks` that passed, for as long as the state is this one."""
    tx.execute(sql.keep_unchanged, tree=str(folder), state=told, project=project, run=run, checks=checks)


def check(database: Database, store: Store, folder: Path, actor: str) -> Unchanged | None:
    """Record a run that found nothing to do; None: there is something, or there may be."""
    began, began_us = time.monotonic(), clock.now_us()
    row = database.one(sql.unchanged, tree=str(folder))
    if row is None:
        return None
    working = tree.working(folder)
    if row["state"] != state(working, tree.survey(working, None).marks):
        return None
    steps = database.query(sql.last_steps, run=row["run"])
    if not all(step["digest"] and store.has(step["digest"]) for step in steps):
        return None
    identity, seconds = clock.uuid7(), time.monotonic() - began

    counts = {"steps": {"unchanged": len(steps)}, "checks": {"passed": row["checks"]} if row["checks"] else {}}
    summary = {"seconds": seconds, "problem": None, **counts}

    def work(tx: Transaction) -> int:
        now, text = clock.now_us(), json.dumps(summary)
        made = tx.one(
            sql.insert_unchanged_run, id=identity, same_as=row["run"], actor=actor, began=began_us, now=now, summary=text,
            commit_id=working.commit, dirty=working.dirty,
        )  # fmt: skip
        assert made is not None
        events.append(
            tx, chain=row["project"], kind="run.finished", subject=f"run-{made['number']}", actor=actor,
            body={"run": identity, "state": "finished", **counts},
        )  # fmt: skip
        number: int = made["number"]
        return number

    return Unchanged(identity, database.write(work), len(steps), seconds)


def _ruling(folder: Path) -> list[str]:
    found = []
    for name in _RULING:
        try:
            found.append(f"{name} {tree.mark(os.lstat(folder / name))}")
        except FileNotFoundError:
            continue
    return found


def _installed() -> list[str]:
    """What is installed beside us, and our own runtime: a project without a lock runs on that."""
    found = [
        f"{name} {tree.mark(os.lstat(_RUNTIME / name))}"
        for name in sorted(os.listdir(_RUNTIME))
        if name.endswith(".py")
    ]
    for entry in sys.path:
        if entry and os.path.isdir(entry):
            found += sorted(name for name in os.listdir(entry) if name.endswith((".dist-info", ".pth")))
    return found
