"""What windows are compared with: the tables that the models of a release took, the first predictions of a release, a version of an asset.

The profile of a training table is made once a release, in a task of the runner; it is kept by digest, so it is as old as the release.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.kernel import clock, digest, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.monitor.drift import count
from ciranda.monitor.drift import profile as profiles
from ciranda.monitor.drift.profile import Profile
from ciranda.pipeline import lineage
from ciranda.pipeline import profile as versions
from ciranda.pipeline.records import Version
from ciranda.release.manifest import Manifest, Service

sql = statements.load("ciranda.monitor.windows")
TRAINING, FIRST, VERSION, NONE = "training", "first", "version", "none"
DEEP = 4  # steps between a model and the table that it was trained on


@dataclass(frozen=True, slots=True)
class Reference:
    """The profile of a table, by the digest of its document. `until_us`: of first predictions, the time of the last of them."""

    project: str
    environment: str
    subject: str
    release: str
    kind: str
    source: str
    object: str
    row_count: int
    until_us: int
    made_us: int

    @property
    def part(self) -> str:
        """What tells it from the other references of its subject: `training flights`."""
        return f"{self.kind} {self.source}".rstrip()

    def said(self) -> str:
        """What it is, in words."""
        match self.kind:
            case "training":
                return f"{self.source}, which {self.release} was trained on"
            case "first":
                return f"the first {self.row_count:,} predictions of {self.release}"
            case "version":
                return f"{self.source} of {self.release}"
            case _:
                return self.source


def of(database: Database, project: str, environment: str, subject: str, release: str) -> list[Reference]:
    """The references of a subject in a release; the one that says that there is none among them."""
    named = {"project": project, "environment": environment, "subject": subject, "release": release}
    return [Reference(**row) for row in database.query(sql.references, **named)]


def load(store: Store, reference: Reference) -> Profile:
    """Its profile. Raises errors.NotFound, errors.Corrupt."""
    return profiles.read(digest.parse(store.get(reference.object)))


def put(store: Store, profile: Profile) -> str:
    """Keep a profile in the store; its digest."""
    with store.batch():
        return store.put(digest.canonical(profile.document()))


def keep(tx: Transaction, reference: Reference) -> None:
    """Record it; the first one that is recorded stays."""
    tx.execute(sql.keep_reference, **asdict(reference))


def none(project: str, subject: str, release: str, why: str) -> Reference:
    """That there is nothing to compare with, so that it is not looked for again."""
    return Reference(project, "", subject, release, NONE, why, "", 0, 0, clock.now_us())


def training(database: Database, store: Store, content: Manifest, name: str, release: str) -> list[Reference]:
    """The tables that the models of a service were trained on, profiled; one that says why, where there is none.

    Raises errors.NotFound, errors.Corrupt where a table is gone, errors.Invalid for one that cannot be read.
    """
    service = content.services[name]
    tables = _tables(database, content, service)
    if not tables:
        models = [asset for asset in service.uses if content.assets[asset].kind == "model"]
        why = f"{', '.join(models)} took no table" if models else "it uses no model"
        return [none(content.project, name, release, why)]
    redacted = service.predictions.redact if service.predictions is not None else ()
    named = {"project": content.project, "subject": name, "release": release, "kind": TRAINING}
    return [of_version(store, table, redacted, **named) for table in tables]


def of_version(
    store: Store, version: Version, private: Collection[str], *, project: str, subject: str, release: str, kind: str
) -> Reference:
    """The profile of a table in the store. Raises errors.NotFound, errors.Corrupt, errors.Invalid."""
    made = count.of_frame(versions.frame(store, version), private)
    kept = put(store, made)
    return Reference(project, "", subject, release, kind, version.asset, kept, made.rows, 0, clock.now_us())


def _tables(database: Database, content: Manifest, service: Service) -> list[Version]:
    """The nearest tables above the models of a service."""
    found: dict[str, Version] = {}
    for asset in service.uses:
        of_asset = content.assets[asset]
        if of_asset.kind != "model":
            continue
        version = Version(asset, of_asset.digest, of_asset.key, of_asset.codec, 0, of_asset.kind)
        above = lineage.upstream(database, content.project, version)
        level: Sequence[str] = above.top.inputs
        for _ in range(DEEP):
            nodes = [above.nodes[identity].version for identity in level]
            tables = [each for each in nodes if each.codec == "parquet"]
            if tables:
                found.update({each.asset: each for each in tables})
                break
            level = [identity for each in level for identity in above.nodes[each].inputs]
    return list(found.values())


def conform(table: Any, reference: Profile, wanted: Collection[str]) -> Any:
    """The columns of a polars.DataFrame that a reference knows and that are `wanted`, of the types that it compares.

    JSON has no dates, no integers and no categories of its own: a column is read as what the reference says it is; a value that
    cannot be counts as missing.
    """
    import polars

    made = []
    for known in reference.columns:
        if known.name not in wanted or known.kind not in ("number", "category"):
            continue
        held = polars.selectors.by_name(known.name).as_expr() if known.name in table.columns else polars.lit(None)
        if known.private:
            one = polars.lit(0, polars.Float64) if known.kind == "number" else polars.lit("")
            made.append(polars.when(held.is_not_null()).then(one).otherwise(None).alias(known.name))
        elif known.kind == "number":
            made.append(held.cast(polars.Float64, strict=False).alias(known.name))
        else:
            made.append(held.cast(polars.String, strict=False).alias(known.name))
    return table.select(made)


def narrowed(reference: Profile, wanted: Collection[str]) -> Profile:
    """The columns of a reference that `conform` keeps. Pure."""
    columns = tuple(one for one in reference.columns if one.name in wanted and one.kind in ("number", "category"))
    return Profile(reference.rows, columns)
