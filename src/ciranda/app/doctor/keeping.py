"""What is kept: the objects of what is live, its interpreters, and the repositories."""

import os
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import up
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.environment import revisions
from ciranda.kernel import errors, sweep
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import interpreters
from ciranda.release import releases
from ciranda.versions import repositories

BUDGET = 64_000_000  # bytes of live objects that are read without being asked
PATIENCE = 120.0  # seconds for Git to look through one repository; with --deep sixty times as many
LANDED = ("merged", "delivering", "settled")
AGAIN = "in the project: git checkout {commit} && ciranda run"


@dataclass(frozen=True, slots=True)
class Live:
    """A release that runs somewhere, and its content's assets; None: its manifest is lost."""

    release: releases.Release
    places: tuple[str, ...]
    interpreter: str
    assets: tuple[tuple[str, str, str], ...] | None  # name, digest, codec
    services: bool
    problem: str = ""


def live(database: Database, store: Store) -> list[Live]:
    """What runs, or is on its way, in every environment."""
    named: dict[str, list[str]] = {}
    for place in revisions.environments(database):
        target = revisions.current_target(database, place.project, place.name)
        for revision in (revisions.live(database, place.project, place.name), target):
            if revision is not None and not revision.gone:
                named.setdefault(revision.release, []).append(f"{place.project} {place.name}")
    return [_live(database, store, name, tuple(dict.fromkeys(places))) for name, places in named.items()]


def objects(found: Iterable[Live], store: Store, *, budget: int | None) -> Iterator[Finding]:
    """Whether the objects of what is live are there, and those within the budget (bytes; None: none is read) whole."""
    there = size = read = 0
    broken = False
    for one in found:
        where = f"{one.release.name} in {findings.some(one.places)}"
        if one.assets is None:
            broken = True
            yield findings.wrong(one.problem, where, "a server makes it anew within a minute: ciranda up --detach")
            continue
        again = AGAIN.format(commit=one.release.commit_sha[:12])
        for name, digest, _ in one.assets:
            try:
                for inner, length in _inside(store, digest):
                    there, size = there + 1, size + length
                    if budget is not None and read + length <= budget:
                        read += length
                        _whole(store, inner)
            except errors.NotFound:
                broken = True
                yield findings.wrong(
                    f"{name} of {one.release.name} is not in the store any more", f"{where}  {digest}", again
                )
            except errors.Corrupt as error:
                broken = True
                yield findings.wrong(f"{name} of {one.release.name} is not what was stored", error.where, again)
    if not broken and there:
        looked = f", {findings.size(read)} read and whole" if budget is not None else ""
        yield findings.ok(f"{findings.plural(there, 'object')} of what is live, {findings.size(size)}{looked}")


def every(root: Path, store: Store) -> Iterator[Finding]:
    """Every object of a store, read and compared with its name."""
    count = size = lost = 0
    for one in sweep.listed(root):
        try:
            _whole(store, one.digest)
        except errors.NotFound:
            continue  # collected meanwhile
        except errors.Corrupt as error:
            lost += 1
            if lost <= 10:
                yield findings.wrong(
                    f"the object {one.digest} is not what was stored",
                    error.where,
                    "what needs it makes it anew: ciranda run",
                )
        count, size = count + 1, size + one.size
    if lost > 10:
        yield findings.wrong(f"{lost:,} objects are not what was stored", str(root), findings.BACKUP)
    if not lost:
        yield findings.ok(
            f"{findings.plural(count, 'object')} in the store, {findings.size(size)}, each read and whole"
        )


def programs(found: Iterable[Live], home: homes.Home) -> Iterator[Finding]:
    """Whether the interpreters of what is live are there and start."""
    good = set()
    for one in found:
        if not one.interpreter or not one.services:
            continue
        where = f"{one.release.name} in {findings.some(one.places)}"
        again = AGAIN.format(commit=one.release.commit_sha[:12])
        python = interpreters.find(one.interpreter, home.interpreters)
        if python is None:
            yield findings.wrong(
                f"the interpreter of {one.release.name} is gone: its services cannot start again", where, again
            )
        elif not os.access(python, os.X_OK):
            said = f"the Python that the interpreter of {one.release.name} was built on is gone"
            yield findings.wrong(said, str(python), f"rm -r {up.typed(python.parent.parent)}, then {again}")
        else:
            good.add(one.interpreter)
    if good:
        yield findings.ok(f"{findings.plural(len(good), 'interpreter')} of what is live")


def repository(home: homes.Home, name: str, *, deep: bool) -> Iterator[Finding]:
    """Whether Git finds a repository whole."""
    path = repositories.path(home.repositories, name)
    how = ["--full"] if deep else ["--connectivity-only"]
    command = repositories.command(path, "fsck", *how, "--no-dangling", "--no-progress")
    patience = PATIENCE * (60 if deep else 1)
    try:
        done = subprocess.run(
            command, env=repositories.environment(path), capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=patience, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        yield findings.warn(
            f"Git took longer than {patience:g} s to look through {name}", str(path), "ciranda doctor --deep"
        )
        return
    if done.returncode:
        said = [
            line for line in (done.stderr + done.stdout).splitlines() if line.strip() and not line.startswith("notice:")
        ]
        yield findings.wrong(
            f"the repository {name} is damaged: {said[0] if said else 'Git gives no reason'}",
            str(path),
            "push it whole again, or restore a backup: ciranda restore FILE --home DIR",
        )


def refs(database: Database, home: homes.Home, project: changes.Project) -> Iterator[Finding]:
    """Whether the protected branch is where the last change that landed brought it."""
    path = repositories.path(home.repositories, project.repository)
    if not path.exists():
        yield findings.wrong(f"the repository of {project.name} is gone", str(path), findings.BACKUP)
        return
    latest = changes.latest(database, project.name, 100)
    if any(change.state == "merging" for change in latest):
        return  # it moves just now
    landed = next((change.head for change in latest if change.state in LANDED), None)
    found = repositories.read_ref(path, project.ref)
    yield from judge_ref(project, str(path), found, landed)


def judge_ref(project: changes.Project, path: str, found: str | None, landed: str | None) -> Iterator[Finding]:
    """`found`: where the branch is, `landed`: where the last change that landed brought it. Pure."""
    if landed is None or found == landed:
        return
    at = f"is at {found[:12]}" if found else "is not there"
    yield findings.wrong(
        f"{project.branch} of {project.name} {at}, and the last change that passed the gate is {landed[:12]}",
        path,
        f"git --git-dir={up.typed(Path(path))} update-ref {project.ref} {landed}",
    )


def _live(database: Database, store: Store, name: str, places: tuple[str, ...]) -> Live:
    release = releases.by_id(database, name)
    try:
        content = releases.manifest(store, release)
    except (errors.NotFound, errors.Corrupt) as error:
        return Live(release, places, "", None, False, error.message)
    assets = tuple((key, asset.digest, asset.codec) for key, asset in content.assets.items())
    return Live(release, places, content.interpreter, assets, bool(content.services))


def _inside(store: Store, digest: str) -> Iterator[tuple[str, int]]:
    """The objects of a version: digest and bytes. Raises errors.NotFound, errors.Corrupt."""
    if store.is_folder(digest):
        for _, inner, _ in store.listing(digest):
            yield inner, store.size(inner)
    else:
        yield digest, store.size(digest)


def _whole(store: Store, digest: str) -> None:
    """Read an object. Raises errors.NotFound, errors.Corrupt."""
    if store.path(digest) is None:  # a large one is verified by being asked for
        store.get(digest)
