"""What a client was told, kept outside the home: nothing of it may ever be lost."""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.demo.judge import Answer
from ciranda.kernel import errors, events
from ciranda.service import table
from support.torture_site import Broken, Kill, Site

EXCUSED = ("gateway", "keeper", "instance")  # whose death may take the requests in flight along


@dataclass(frozen=True)
class Expectation:
    """From a moment on (monotonic seconds): the releases that production may answer with."""

    since: float
    oldest: int
    newest: int | None  # None: any newer one


@dataclass
class Kept:
    """Acknowledged facts."""

    commits: dict[str, str] = field(default_factory=dict)  # repository's address → the last commit whose push exited 0
    runs: list[tuple[str, int]] = field(default_factory=list)  # of `ciranda run`: project, number
    pushes: int = 0
    verbs: int = 0  # rollback and hold
    held: bool | None = None  # production, as the last acknowledged word says; None: it is not known
    expectations: list[Expectation] = field(default_factory=list)
    answers: dict[int, float] = field(default_factory=dict)  # what each release answers, by its number

    def expect(self, *, oldest: int | None = None, newest: int | None = None, any_newer: bool = False) -> None:
        """What production answers with from now on; what is not named stays."""
        before = self.expectations[-1] if self.expectations else Expectation(0.0, 0, None)
        limit = None if any_newer else before.newest if newest is None else newest
        self.expectations.append(Expectation(time.monotonic(), before.oldest if oldest is None else oldest, limit))

    @property
    def count(self) -> dict[str, int]:
        return {"pushes": self.pushes, "runs": len(self.runs), "rollbacks and holds": self.verbs}

    def astray(self, answers: Iterable[Answer]) -> list[str]:
        """Answers of a release that production may not have answered with at that time, or that its model does not give."""
        found = []
        for answer in answers:
            if answer.failed:
                continue
            number = int(answer.release.removeprefix("r"))
            valid = in_force(self.expectations, answer.began, answer.ended)
            oldest = min((one.oldest for one in valid), default=0)
            newest = max((math.inf if one.newest is None else one.newest for one in valid), default=math.inf)
            if not oldest <= number <= newest:
                found.append(f"{answer.began:.3f}: {answer.release}, not r{oldest} to r{newest}")
            if number in self.answers and not math.isclose(json.loads(answer.body), self.answers[number]):
                found.append(
                    f"{answer.began:.3f}: {answer.release} answered {answer.body!r}, not {self.answers[number]}"
                )
        return found


def failures(answers: Iterable[Answer], kills: Iterable[Kill]) -> list[str]:
    """Requests that failed and were not in flight when a gateway, a keeper or an instance died."""
    kills = list(kills)
    excuses = [kill for kill in kills if kill.process in EXCUSED]
    found = []
    for answer in answers:
        if answer.failed and not any(answer.began <= kill.gone and answer.ended >= kill.at for kill in excuses):
            told = f"{answer.began:.3f}–{answer.ended:.3f}: {answer.status} {answer.problem} {answer.body[:80]!r}"
            near = [
                f"{kill.process} {kill.at:.3f}–{kill.gone:.3f}" for kill in kills if abs(kill.at - answer.began) < 5
            ]
            found.append(f"{told} (killed: {', '.join(near)})")
    return found


def in_force(expectations: list[Expectation], began: float, ended: float) -> list[Expectation]:
    """What was expected at some time between two moments."""
    before = [one for one in expectations if one.since <= began]
    return [*before[-1:], *(one for one in expectations if began < one.since <= ended)]


def digests(value: Any) -> Iterable[str]:
    """Every object that a recorded version, outcome or manifest names: its fields `digest` and `evidence`."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in ("digest", "evidence") and isinstance(inner, str) and inner.startswith("b3:"):
                yield inner
            else:
                yield from digests(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from digests(inner)


def half_written(site: Site) -> list[str]:
    """What cannot be read, though its name says that it is whole."""
    found = []
    for name in ("routes.json", "children.json", "server.json", "keeper.json"):
        try:
            json.loads((site.home / "state" / name).read_bytes())
        except ValueError as error:
            found.append(f"{name}: {error}")
    try:
        table.load(site.home / "state" / "routes.json")
    except errors.Corrupt as error:
        found.append(str(error))
    return found


def objects_and_events(home: Path) -> None:
    """Raises Broken for an object that the ledger names and cannot be read, an event that is not as it was written, a lock that stayed."""
    with homes.opened(homes.Home(home)) as (database, store):
        named: set[str] = set()
        for statement in (
            "SELECT version AS body FROM run_step WHERE version IS NOT NULL",
            "SELECT version AS body FROM result",
            "SELECT body FROM outcome",
            "SELECT body FROM run_outcome",
        ):
            for row in database.query(statement):
                named |= set(digests(json.loads(row["body"])))
        for row in database.query("SELECT manifest FROM release"):
            named.add(row["manifest"])
            named |= {asset["digest"] for asset in json.loads(store.get(row["manifest"]))["assets"].values()}
        for digest in named:
            try:
                store.get(digest)
                if store.is_folder(digest):
                    for _, inner, _ in store.listing(digest):
                        store.get(inner)
            except errors.CirandaError as error:
                raise Broken(f"an object that the ledger names: {error}") from None
        for row in database.query("SELECT name FROM chain"):
            events.verify(database, row["name"])
    locks = [path for path in (home / "repositories").rglob("*.lock") if "objects" not in path.parts]
    if locks:
        raise Broken(f"locks are left: {locks}")
