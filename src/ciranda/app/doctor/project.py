"""The project around a folder: whether what it declares is there, and whether it can be pushed."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ciranda.app import client, remote
from ciranda.app import home as homes
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.environment import secrets
from ciranda.environment.infra import folder as folders
from ciranda.environment.infra import program
from ciranda.kernel import errors
from ciranda.kernel.database import Database
from ciranda.pipeline import fingerprint, locks, tree
from ciranda.pipeline.locks import Lock
from ciranda.project import declaration, lockfile, problems, programs, read

LARGE = 50_000_000  # bytes from which on a file is no work for Git
PATIENCE = 5.0  # seconds for the server to answer
TESTS = ("tests/", "test/")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a project's folder. Paths are relative."""

    paths: tuple[str, ...]  # that Git tracks or would track
    ignored: tuple[str, ...]  # that Git ignores
    large: tuple[tuple[str, int], ...]  # that Git tracks, with bytes
    locked: Mapping[str, lockfile.Locked]  # that ciranda.lock names
    repository: bool
    commit: str | None
    outside: Mapping[str, bool]  # references of the machine: whether there is anything
    terraform: bool = True  # whether Terraform or OpenTofu is on the PATH


@dataclass(frozen=True, slots=True)
class Remote:
    """Where the project is pushed to. `url`: None: nowhere; `problem`: why it does not answer, or does not let in."""

    url: str | None
    home: bool
    problem: str = ""
    hint: str = ""


def declared(folder: Path) -> Iterator[Finding]:
    """What is wrong with the declaration; one line when nothing is."""
    try:
        project = read.read(folder)
    except (problems.Declined, problems.Later) as error:
        for one in error.problems:
            yield findings.wrong(one.what, one.where, one.hint or "edit ciranda.toml: docs/configuration.md")
    except errors.CirandaError as error:
        yield findings.refused(error)
    else:
        counts = (
            (len(project.sources), "source"), (len(project.services), "service"), (len(project.jobs), "job"),
            (len(project.environments), "environment"),
        )  # fmt: skip
        told = ", ".join(findings.plural(count, noun) for count, noun in counts if count)
        yield findings.ok(f"{project.name}: ciranda.toml reads" + (f", {told}" if told else ""))


def observe(folder: Path, project: declaration.Project) -> Files:
    """Look at the files of a project. Raises errors.Invalid for a lock that is none."""
    working = tree.working(folder)
    ignored = _git(folder, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--", ".")
    tracked = _git(folder, "ls-files", "-z", "--", ".")
    sizes = ((path, (folder / path).lstat().st_size) for path in tracked or () if os.path.lexists(folder / path))
    return Files(
        paths=working.files or (),
        ignored=tuple(ignored or ()),
        large=tuple((path, size) for path, size in sizes if size > LARGE),
        locked=lockfile.read(folder),
        repository=tracked is not None,
        commit=working.commit,
        outside={
            source.name: _anything(source.files) for source in project.sources if source.reference and not source.url
        },
        terraform=program.find() is not None,
    )


def judge(project: declaration.Project, found: Files) -> Iterator[Finding]:
    """What is missing of what the project declares. Pure."""
    there = set(found.paths)
    if project.pipeline is not None and project.pipeline not in there:
        hint = (
            "does .gitignore hide it?"
            if project.pipeline in found.ignored
            else f"write it, or: git add {project.pipeline}"
        )
        yield findings.wrong(f"the pipeline {project.pipeline} is not there", "ciranda.toml", hint)
    sources = list(_sources(project, found))
    yield from sources
    if project.sources and not any(one.level == "wrong" for one in sources):
        yield findings.ok(f"{findings.plural(len(project.sources), 'source')}, each with files")
    yield from _infra(project, found)
    away = sorted(path for path in found.locked if path not in there)
    if away:
        said = f"{findings.plural(len(away), 'file')} of {lockfile.FILE} {'is' if len(away) == 1 else 'are'} not here"
        yield findings.wrong(said, findings.some(away), "ciranda data pull")
    for path, size in found.large:
        mend = f"git rm --cached {path} && ciranda data add {path}"
        yield findings.warn(f"Git tracks a file of {findings.size(size)}", path, mend)
    if not found.repository:
        yield findings.wrong("this is no Git repository: it cannot be pushed", mend="ciranda init")
    elif found.commit is None:
        yield findings.warn("nothing was committed yet", mend='git add --all && git commit -m "Begin"')
    tested = any(path.startswith(TESTS) or path.rpartition("/")[2].startswith("test_") for path in found.paths)
    if project.checks.code:
        count = len(project.checks.code)
        yield findings.ok(f"{findings.plural(count, 'command checks', 'commands check')} the code of each push")
    else:
        what = "there are tests, and no push runs them" if tested else "no command checks the code of a push"
        yield findings.warn(what, "ciranda.toml", '[checks]  code = ["python -m unittest discover -s tests -t ."]')


def _infra(project: declaration.Project, found: Files) -> Iterator[Finding]:
    declared = [place for place in project.environments if place.infra]
    for place in declared:
        where = f"ciranda.toml:{place.line}" if place.line else "ciranda.toml"
        there = folders.configuration(folders.within(found.paths, place.infra))
        if not any("/" not in path for path in there):
            said = f'environments.{place.name}.infra names "{place.infra}", which has no file of Terraform (*.tf)'
            yield findings.wrong(said, where, f"ls {place.infra}   or write {place.infra}/main.tf")
    if declared and not found.terraform:
        yield findings.wrong(
            f"{declared[0].name} has infrastructure, and {program.MISSING}", "ciranda.toml", program.HINT
        )


def _sources(project: declaration.Project, found: Files) -> Iterator[Finding]:
    for source in project.sources:
        where = f"ciranda.toml:{source.line}" if source.line else "ciranda.toml"
        if source.reference:
            if found.outside.get(source.name) is False:
                yield findings.wrong(f"no file is called {source.files} here", where, f"ls -l {source.files}")
            continue
        hidden = [path for path in fingerprint.matching(found.ignored, source.files) if path not in found.locked]
        matched = fingerprint.matching(found.paths, source.files)
        locked = fingerprint.matching(found.locked, source.files)
        if hidden:
            said = f"the source {source.name} names {findings.plural(len(hidden), 'file')} that Git ignores: no push has them"
            mend = f"ciranda data add {findings.some(hidden, 1).partition(' and ')[0]}"
            yield (findings.warn if matched else findings.wrong)(said, findings.some(hidden), mend)
        elif not matched and not locked:
            said = f'sources.{source.name}.files names "{source.files}", which no file of the project matches'
            yield findings.wrong(said, where, f"ls {source.files}   or change the pattern in ciranda.toml")


def modules(folder: Path, project: declaration.Project, paths: tuple[str, ...], lock: Lock | None) -> Iterator[Finding]:
    """Whether the programs that services name are there; nothing is imported."""
    if not project.services:
        return
    missing = programs.missing(
        project, paths, lambda path: (folder / path).read_text(), lambda name: lock is not None or _ours(name),
        (folder / read.FILE).read_text(),
    )  # fmt: skip
    for one in missing:
        yield findings.wrong(one.what, one.where, one.hint)
    if not missing:
        yield findings.ok(f"{findings.plural(len(project.services), 'service')}, each with its program")


def judge_lock(lock: Lock | None) -> Finding:
    """What the project runs in. Pure."""
    if lock is None:
        return findings.warn(
            "nothing says what the project needs: it runs in Ciranda's own Python, whose versions are Ciranda's",
            mend="write requirements.txt: uv pip compile --generate-hashes requirements.in -o requirements.txt",
        )
    if lock.name == locks.PROJECT:
        return findings.warn(
            "pyproject.toml names what is needed, and nothing holds its versions", lock.name, "uv lock"
        )
    return findings.ok(f"what is needed is locked in {lock.name}")


def look_at_remote(folder: Path, home: homes.Home) -> Remote:
    """Where the project is pushed to, and whether it answers and lets us in."""
    url = remote.address(folder)
    if url is None:
        return Remote(None, home=False)
    ours = remote.is_home(folder, home)
    try:
        client.Client(url, timeout=PATIENCE).get("version")
        remote.server(folder, home, timeout=PATIENCE).get("status")
    except errors.CirandaError as error:
        hint = "start it: ciranda up" if isinstance(error, errors.Unreachable) and ours else error.hint
        return Remote(url, ours, error.message, hint)
    return Remote(url, ours)


def judge_remote(found: Remote) -> Finding:
    """What that means. Pure."""
    if found.url is None:
        return findings.warn(f"no remote {remote.REMOTE}: there is nowhere to push to", mend="ciranda init")
    if found.problem:
        return findings.warn(
            f"pushes cannot arrive: {found.problem}", found.url, found.hint or "git push ciranda main says why"
        )
    return findings.ok("its server answers and lets us in", found.url)


def unset(database: Database, project: declaration.Project) -> Iterator[Finding]:
    """Secrets that the folder's declaration names, and that nobody has set in this home."""
    wanted: dict[str, str] = {}
    for service in project.services:
        wanted |= dict.fromkeys(service.secrets, f"services.{service.name}")
    for place in project.environments:
        if place.infra:
            continue  # its outputs may set them
        there = secrets.versions(database, project.name, place.name)
        for name, who in (wanted | dict.fromkeys(place.secrets, f"environments.{place.name}")).items():
            if name not in there:
                yield findings.warn(
                    f"{who} needs the secret {name}, which is not set for {place.name}",
                    "ciranda.toml",
                    f"ciranda secret set {name} -e {place.name}",
                )


def _anything(pattern: str) -> bool:
    """Whether an absolute pattern names anything on this machine."""
    path = Path(pattern).expanduser()
    if path.exists():
        return True
    parts = path.parts
    first = next((at for at, part in enumerate(parts) if any(sign in part for sign in "*?[")), len(parts))
    if first == len(parts):
        return False
    try:
        return next(Path(*parts[:first]).glob("/".join(parts[first:])), None) is not None
    except OSError:
        return False


def _ours(name: str) -> bool:
    """Whether Ciranda's own Python has a module of this first name."""
    return name in sys.stdlib_module_names or importlib.util.find_spec(name) is not None


def _git(folder: Path, *arguments: str) -> list[str] | None:
    """The names that Git lists; None where it refuses or is not there."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )  # fmt: skip
    except FileNotFoundError:
        return None
    return None if done.returncode else [name for name in os.fsdecode(done.stdout).split("\0") if name]
