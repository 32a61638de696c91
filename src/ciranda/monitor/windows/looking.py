"""A look at what a service predicted lately: each batch is counted once by the references of its release, windows add them up."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.kernel import clock, digest, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.monitor.drift import compare, count
from ciranda.monitor.drift import profile as profiles
from ciranda.monitor.drift.profile import Profile
from ciranda.monitor.predictions import batches
from ciranda.monitor.predictions.batches import Batch
from ciranda.monitor.predictions.segments import Place
from ciranda.monitor.windows import episodes, references, spans
from ciranda.monitor.windows.episodes import Look
from ciranda.monitor.windows.references import Reference

sql = statements.load("ciranda.monitor.windows")
FORMAT = "ciranda.window/1"
FIRST = 1_000  # predictions of a release that later ones are compared with, where training says nothing of a column
AT_ONCE = 200  # batches that one look counts


@dataclass(frozen=True, slots=True)
class Part:
    """A reference as it is used: its profile, narrowed to the columns that are there and that no reference before it has."""

    reference: Reference
    profile: Profile

    @property
    def key(self) -> str:
        """What a window was counted by: the profile and the columns."""
        return digest.of("drift", [self.reference.object, [one.name for one in self.profile.columns]])


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found: its windows. `waits`: why there is nothing yet."""

    release: str
    looks: tuple[Look, ...] = ()
    waits: str = ""


def look(database: Database, store: Store, place: Place, release: str, now_us: int | None = None) -> Looked | None:
    """Look at what a release answered; None where nothing of it is kept. Raises errors.CirandaError."""
    now_us = clock.now_us() if now_us is None else now_us
    row = database.one(sql.latest_batch, **asdict(place), release=release)
    if row is None:
        return None
    latest = Batch(**row)
    there = references.of(database, place.project, place.environment, place.service, latest.release)
    if not any(one.kind in (references.TRAINING, references.NONE) for one in there):
        return Looked(latest.release, waits="its reference is being made")
    columns = _columns(store, latest)
    begun = any(one.kind == references.FIRST for one in there)
    held = _of_release(database, place, latest.release, now_us - spans.DAY_US if begun else 0)
    parts = _training(store, there, columns)
    covered = {column.name for part in parts for column in part.profile.columns}
    first = _first(database, store, place, there, held, [name for name in columns if name not in covered])
    if first is not None:
        parts.append(first)
    if not parts:
        return Looked(latest.release, waits=f"{_why(there)}; the first {FIRST:,} predictions will be the reference")
    recent = [one for one in held if one.until_us >= now_us - spans.DAY_US]
    counted = _counted(database, store, recent[-AT_ONCE * 10 :], parts)
    made = _looks(recent, counted, parts, now_us)
    database.write(lambda tx: episodes.record(tx, place.project, place.environment, place.service, made))
    return Looked(latest.release, tuple(made))


def _why(there: Sequence[Reference]) -> str:
    """Why training is no reference, or what is."""
    return ", ".join(one.said() for one in there) or "there is none yet"


def _of_release(database: Database, place: Place, release: str, since_us: int) -> list[Batch]:
    rows = database.query(sql.of_release, **asdict(place), release=release, since_us=since_us)
    return [Batch(**row) for row in rows]


def _columns(store: Store, batch: Batch) -> list[str]:
    """The inputs and outputs of a batch."""
    own = {"request_id", "row", "at", "release"}
    return [name for name in batches.columns(store, batch) if name not in own]


def _training(store: Store, there: Sequence[Reference], columns: Sequence[str]) -> list[Part]:
    parts: list[Part] = []
    covered: set[str] = set()
    inputs = [name for name in columns if name != "prediction" and not name.startswith("prediction.")]
    for one in there:
        if one.kind != references.TRAINING:
            continue
        narrowed = references.narrowed(references.load(store, one), [name for name in inputs if name not in covered])
        covered |= {column.name for column in narrowed.columns}
        if narrowed.columns:
            parts.append(Part(one, narrowed))
    return parts


def _first(
    database: Database,
    store: Store,
    place: Place,
    there: Sequence[Reference],
    held: Sequence[Batch],
    columns: Sequence[str],
) -> Part | None:
    """The first predictions of a release as a reference for what training does not say; None while there are too few."""
    known = next((one for one in there if one.kind == references.FIRST), None)
    if known is None:
        chosen: list[Batch] = []
        for one in held:
            chosen.append(one)
            if sum(each.row_count for each in chosen) >= FIRST:
                break
        else:
            return None
        table = batches.load(store, chosen)
        made = count.of_frame(table.select([name for name in columns if name in table.columns]))
        with store.steady():
            kept = references.put(store, made)
            last = max(each.until_us for each in chosen)
            known = Reference(
                place.project, place.environment, place.service, chosen[0].release, references.FIRST, "", kept, made.rows,
                last, clock.now_us(),
            )  # fmt: skip
            own = known
            database.write(lambda tx: references.keep(tx, own))
    narrowed = references.narrowed(references.load(store, known), columns)
    return Part(known, narrowed) if narrowed.columns else None


def _counted(
    database: Database, store: Store, held: Sequence[Batch], parts: Sequence[Part]
) -> dict[str, dict[str, Profile]]:
    """The profiles of batches by the key of a part; those that were not counted by these references are, and kept."""
    found: dict[str, dict[str, Profile]] = {}
    wanted = [part.key for part in parts]
    fresh: dict[str, str] = {}
    with store.steady():
        with store.batch():
            for one in held:
                known = profiles_of(store, one)
                if not all(key in known for key in wanted):
                    if len(fresh) >= AT_ONCE:
                        continue  # the next look goes on
                    try:
                        table = batches.load(store, [one])
                    except (errors.NotFound, errors.Corrupt):
                        continue  # the others can still be told
                    known = {part.key: _count(table, part) for part in parts}
                    told = {key: each.document() for key, each in known.items()}
                    fresh[one.id] = store.put(digest.canonical({"format": FORMAT, "parts": told}))
                found[one.id] = known

        def work(tx: Transaction) -> None:
            for identity, kept in fresh.items():
                tx.execute(sql.profiled, id=identity, profile=kept)

        if fresh:
            database.write(work)
    return found


def profiles_of(store: Store, batch: Batch) -> dict[str, Profile]:
    """What a batch was counted as, by the key of a part; nothing where it was not, or that is gone."""
    if not batch.profile:
        return {}
    try:
        told: dict[str, Any] = digest.parse(store.get(batch.profile))
        return {key: profiles.read(each) for key, each in told["parts"].items()} if told.get("format") == FORMAT else {}
    except (errors.NotFound, errors.Corrupt):
        return {}


def merged(store: Store, held: Sequence[Batch]) -> str:
    """The digest of what batches were counted as, together; "" where they were not all counted by the same references."""
    known = [profiles_of(store, one) for one in held]
    if not known[0] or any(each.keys() != known[0].keys() for each in known):
        return ""
    try:
        told = {key: _sum([each[key] for each in known]).document() for key in known[0]}
    except errors.Invalid:
        return ""
    return store.put(digest.canonical({"format": FORMAT, "parts": told}))


def _count(table: Any, part: Part) -> Profile:
    wanted = [one.name for one in part.profile.columns]
    return count.of_frame(references.conform(table, part.profile, wanted), against=part.profile)


def _looks(
    held: Sequence[Batch], counted: dict[str, dict[str, Profile]], parts: Sequence[Part], now_us: int
) -> list[Look]:
    there = [one for one in held if one.id in counted]
    made = []
    for part in parts:
        of_part = [one for one in there if one.until_us > part.reference.until_us]
        for span in spans.of(of_part, now_us):
            window = _sum([counted[one.id][part.key] for one in span.batches])
            made.append(
                Look(
                    span.name, part.reference.part, span.batches[-1].release, part.reference.said(), span.from_us, span.until_us,
                    compare.compare(part.profile, window), window, part.reference.object,
                )
            )  # fmt: skip
    order = (spans.ROWS, spans.HOUR, spans.DAY)
    return sorted(made, key=lambda one: order.index(one.span))


def _sum(found: Sequence[Profile]) -> Profile:
    total = found[0]
    for one in found[1:]:
        total = profiles.merge(total, one)
    return total
