"""Which kills there are to be, and in which rounds: pure but for the dice."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ciranda.kernel import failpoints

Kind = Literal[
    "push", "run", "roll_back", "hold", "quiet", "begin_repository", "lock", "first_run", "fresh",
    "job", "data", "config", "secret", "applied",
]  # fmt: skip

VERBS: tuple[Kind, ...] = ("job", "data", "config", "secret", "applied")
# every process that may be killed, and the rounds in which it is there
PROCESSES: dict[str, tuple[Kind, ...]] = {
    "keeper": ("push", "roll_back", "hold", "quiet", *VERBS),
    "gateway": ("push", "roll_back", "quiet", *VERBS),
    "control": ("push", "roll_back", "hold", "quiet", *VERBS),
    "runner": ("push", "quiet", "job", "data"),
    "run": ("push", "run", "job", "data"),
    "worker": ("push", "run", "job", "data"),
    "window": ("push",),
    "instance": ("push", "quiet", "config", "secret"),
}
# the points that a push passes, in this order
PUSH = (
    *("change.recording", "ref.update", "ref.updated", "lines.appended", "change.judging"),
    *("store.export.filled", "store.export.renamed", "store.pack.appended", "store.pack.synced"),
    *("store.object.written", "store.object.synced", "store.object.renamed"),
    *("ledger.locked", "ledger.worked", "ledger.committed", "ledger.acknowledged"),
    *("gate.deciding", "gate.decided", "change.merging", "change.moved", "release.kept", "change.entering"),
    *("reconcile.observed", "reconcile.prepared", "keeper.spawned", "keeper.recorded", "reconcile.started"),
    "rollout.kept",
    *("files.written", "files.synced", "files.renamed", "route.written", "gateway.swapped"),
    *("route.acknowledged", "reconcile.routed", "reconcile.marked"),
)
WINDOW = ("change.recording", "ref.update", "ref.updated")  # what a push alone does
JUDGED = ("change.", "store.", "gate.", "ref.", "release.")  # what makes a release
DATA = tuple(name for name in PUSH if name not in WINDOW)
ENTERED = tuple(name for name in PUSH if not name.startswith((*JUDGED, "rollout.")))  # the same release
ELSEWHERE: dict[Kind, tuple[str, ...]] = {
    "run": tuple(name for name in PUSH if name.startswith(("store.", "ledger."))),
    "roll_back": (
        "route.written",
        "gateway.swapped",
        "route.acknowledged",
        "reconcile.routed",
        "reconcile.marked",
        "files.renamed",
    ),
    "begin_repository": ("repository.rename",),
    "first_run": ("store.pack.created", "migrations.applied", "files.synced", "ledger.worked"),
    "lock": ("interpreters.created", "interpreters.installed"),
    "job": tuple(name for name in PUSH if name.startswith(("store.pack", "store.object", "ledger.", "lines."))),
    "data": DATA,
    "config": ENTERED,
    "secret": ENTERED,
    "applied": ("ledger.worked", "ledger.committed", "route.written", "gateway.swapped", "reconcile.routed"),
    "fresh": ("migrations.applied", "access.token.written"),
    "quiet": ("predictions.stored", "predictions.recorded"),  # whenever what was predicted is collected
}
# points that several processes pass, and who of them is chosen ("": whoever comes first)
BY: dict[str, tuple[str, ...]] = {
    "files.": ("keeper", "control", ""),
    "ledger.": ("control", "runner", "", ""),
}
MOST: dict[Kind, int] = {
    "push": 4,
    "run": 4,
    "roll_back": 3,
    "hold": 2,
    "quiet": 3,
    "begin_repository": 1,
    "lock": 2,
    "first_run": 2,
    "fresh": 1,
    "job": 3,
    "data": 4,
    "config": 3,
    "secret": 3,
    "applied": 2,
}
IN_JUDGEMENT = ("store.", "gate.")
DEATHS = 2  # of one judgement: more make it give up, on purpose
TRIES = 8  # rounds in which a kill may fail to find its occasion


@dataclass(frozen=True)
class Want:
    """A kill that is to happen: at a point (by a process of a role, if one is named), or of a process from outside."""

    point: str = ""
    process: str = ""
    tries: int = 0

    def __str__(self) -> str:
        return " by ".join(part for part in (self.point, self.process) if part)

    @property
    def again(self) -> "Want":
        return replace(self, tries=self.tries + 1)


def kinds(want: Want) -> list[Kind]:
    """The rounds in which there is an occasion for it."""
    if not want.point:
        return list(PROCESSES[want.process])
    found: list[Kind] = [kind for kind, points in ELSEWHERE.items() if want.point in points]
    if want.process:  # a command that the client runs is none of the server's processes
        found = [kind for kind in found if kind not in ("run", "first_run")]
    return [*found, "push"] if want.point in PUSH else found


def all_of(kills: int, rng: random.Random) -> list[Want]:
    """At least so many: every point and every process equally often."""
    points, roles = sorted(failpoints.NAMES), list(PROCESSES)
    each = max(1, round(kills * 0.55 / len(points)))
    others = max(1, -(-(kills - each * len(points)) // len(roles)))
    wants = [Want(point, who(point, turn)) for point in points for turn in range(each)]
    wants += [Want(process=role) for role in roles for _ in range(others)]
    rng.shuffle(wants)
    return wants


def who(point: str, turn: int) -> str:
    """Which process is to die at a point, the nth time."""
    chosen = next((roles for start, roles in BY.items() if point.startswith(start)), ("",))
    return chosen[turn % len(chosen)]


def next_round(wants: Sequence[Want], rng: random.Random) -> tuple[Kind, list[Want]]:
    """A round and its kills, taken from what is wanted: the first one decides the kind, others that fit come along."""
    kind = rng.choice(kinds(wants[0]))
    taken = [wants[0]]
    for want in wants[1:]:
        if len(taken) < MOST[kind] and kind in kinds(want) and fits(want, taken):
            taken.append(want)
    return kind, in_order(taken, rng)


def fits(want: Want, taken: Iterable[Want]) -> bool:
    """Whether a kill may happen in a round together with the others: a judgement bears so many deaths, an instance one."""
    taken = list(taken)
    if want in taken:
        return False
    deaths = sum(judged(one) for one in [*taken, want])
    return deaths <= DEATHS


def judged(want: Want) -> bool:
    """Whether it ends a judgement, or a part of it."""
    return want.process in ("run", "worker", "runner") or want.point.startswith(IN_JUDGEMENT)


def in_order(wants: Iterable[Want], rng: random.Random) -> list[Want]:
    """In the order in which a push passes the points; those from outside at any time, but what judges dies before it has judged."""
    late = PUSH.index("gate.deciding")

    def place(want: Want) -> float:
        if want.point:
            return float(PUSH.index(want.point)) if want.point in PUSH else 0.0
        return rng.uniform(0, late if judged(want) or want.process == "window" else len(PUSH))

    return sorted(wants, key=place)
