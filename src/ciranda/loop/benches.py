"""Where a change is judged: its tree and its base's, what both declare, and the rules that follow from it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ciranda.access import reaching, users
from ciranda.checks import policy
from ciranda.kernel import confine, outbound
from ciranda.loop import changes, live, pins, receive, rules, tell
from ciranda.loop.changes import NOTHING, Change
from ciranda.loop.places import Workshop
from ciranda.pipeline import engine, interpreters, records
from ciranda.project import declaration
from ciranda.versions import repositories, trees


@dataclass(frozen=True, slots=True)
class Bench:
    """One change on the bench: what it and its base declare, where their trees lie, and what is live meanwhile."""

    change: Change
    project: declaration.Project
    base: declaration.Project | None
    tree: Path
    base_tree: Path
    tree_digest: str  # Git's name of the change's tree
    interpreter: interpreters.Interpreter
    live: Mapping[str, records.Version]  # looked at once, so that every check compares with the same
    pins: Mapping[
        str, pins.Pin
    ]  # what references are judged on: those of the branch, and what a change of data takes in
    reach: outbound.Reach


@dataclass(frozen=True, slots=True)
class Ruled:
    """The rules that judge a change, and the pipelines that they were read from: its own and its base's."""

    policy: policy.Policy
    described: tuple[engine.Described, ...]


def prepare(change: Change, workshop: Workshop, folder: Path, teller: tell.Teller) -> Bench:
    """Write the trees of a change below `folder` (`tree`, `base`, and `code`, which code checks may write)."""
    repository = repositories.path(workshop.repositories, change.repository)
    tree, base_tree = folder / "tree", folder / "base"
    trees.write(repository, change.head, tree, store=workshop.store)
    trees.write(repository, change.head, folder / "code", store=workshop.store, own=True)
    base = None
    if change.base != NOTHING and trees.read_file(repository, change.base, receive.DECLARED) is not None:
        base = replace(receive.declared(repository, change.base), path=base_tree / receive.DECLARED)
        trees.write(repository, change.base, base_tree, store=workshop.store)
    interpreter = interpreters.ensure(
        interpreters.resolve(tree), workshop.interpreters, lambda text: teller.say(f"  {text}")
    )
    project = replace(receive.declared(repository, change.head), path=tree / receive.DECLARED)
    tree_digest = repositories.commit(repository, change.head).tree
    pinned = pins.current(workshop.database, change.project) | pins.parse(change.pins)
    now, reach = live.assets(workshop, project), reaching.of_home(workshop.home)
    return Bench(change, project, base, tree, base_tree, tree_digest, interpreter, now, pinned, reach)


def request(bench: Bench, workshop: Workshop, *, base: declaration.Project | None = None) -> engine.Request:
    """The run of the change, or of its base on which only checks are run."""
    commit, tree = (bench.change.head, bench.tree) if base is None else (bench.change.base, bench.base_tree)
    return engine.Request(
        project=base or bench.project,
        tree=engine.Tree(tree, commit),
        trigger=f"change {bench.change.number}",
        actor=bench.change.actor,
        live=bench.live,
        trust="protected",
        accepts=accepted(workshop),
        confine=confine.available(),
        pins=pins.holding((base or bench.project).sources, bench.pins),
        reach=bench.reach,
    )


def accepted(workshop: Workshop) -> frozenset[str] | None:
    """The trust levels whose results a gate takes: where the home has one user, what they ran themselves too; else it is made again.

    Whoever may write the home's files could make any result; with several users that is not whoever may let it in.
    """
    return None if users.alone(workshop.database) else frozenset({"protected"})


def parts(workshop: Workshop) -> engine.Parts:
    """What a run works with."""
    return engine.Parts(workshop.store, workshop.database, workshop.interpreters, workshop.runs)


def ruled(bench: Bench, workshop: Workshop) -> Ruled:
    """The rules that judge the change, function checks included. Raises errors.Refused when its base's cannot be read."""
    described = engine.describe(request(bench, workshop), parts(workshop), lambda _: None)
    own = rules.of(bench.project, described)
    if bench.base is None:
        return Ruled(policy.effective_policy(None, own), (described,))
    base = engine.describe(request(bench, workshop, base=bench.base), parts(workshop), lambda _: None)
    merged = changes.last_merged(workshop.database, bench.project.name, bench.change.base)
    promised = () if merged is None else merged.outcome.get("checks", ())
    effective = policy.effective_policy(rules.whole(rules.of(bench.base, base), promised, bench.change.base), own)
    return Ruled(effective, (described, base))


def rerun(
    bench: Bench,
    effective: policy.Policy,
    outcomes: Collection[records.Outcome],
    assets: Mapping[str, records.Version],
    workshop: Workshop,
) -> Sequence[records.Outcome]:
    """The base's bodies of the checks that the change edits or drops, on the change's assets."""
    missing = [name for name in effective.checks if name not in {outcome.check for outcome in outcomes}]
    names = sorted({*effective.rerun, *missing})
    if not names or bench.base is None:
        return ()
    wanted = request(bench, workshop, base=bench.base)
    return engine.check(wanted, parts(workshop), names=names, assets=assets, interpreter=bench.interpreter)


def comparing(described: Iterable[engine.Described]) -> dict[str, tuple[str, ...]]:
    """The checks of these pipelines that look at what is live, each with the assets that it looks at."""
    checks = [check for each in described for check in each.description.checks]
    found: dict[str, set[str]] = {}
    for check in checks:
        for given in check.inputs:
            if given.marker == "live":
                found.setdefault(check.name, set()).add(given.asset)
    return {name: tuple(sorted(assets)) for name, assets in found.items()}


def compared(described: Iterable[engine.Described], now: Mapping[str, records.Version]) -> dict[str, str | None]:
    """The live versions (digests) that the checks of these pipelines look at, by asset; None: there is none."""
    names = sorted({asset for assets in comparing(described).values() for asset in assets})
    return {name: now[name].digest if name in now else None for name in names}
