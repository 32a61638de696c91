"""What infrastructure an environment has: by which release's files it was made, what it gives, and since when it has drifted."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ciranda.environment.infra.answer import Change, Output
from ciranda.kernel import clock, digest, events, statements
from ciranda.kernel.database import Database, Transaction

sql = statements.load("ciranda.environment", "infra.sql")
ACTOR = "ciranda"
TOLD = 20  # resources that an event names


@dataclass(frozen=True, slots=True)
class Place:
    """`release` is the release's identity in the ledger; an output is {"value"} or {"secret": NAME}."""

    project: str
    environment: str
    release: str
    folder: str
    digest: str
    question: str
    serial: int
    resources: int
    outputs: Mapping[str, Mapping[str, Any]]
    applied_us: int
    checked_us: int | None
    drifted_us: int | None
    drift: tuple[Change, ...]

    @property
    def values(self) -> dict[str, Output]:
        """What it gives to the configuration."""
        return {name: Output(one["value"]) for name, one in self.outputs.items() if "value" in one}

    @property
    def secrets(self) -> frozenset[str]:
        """The secrets that it sets itself."""
        return frozenset(str(one["secret"]) for one in self.outputs.values() if "secret" in one)


def get(database: Database | Transaction, project: str, environment: str) -> Place | None:
    """What an environment has; None: nothing."""
    row = database.one(sql.place, project=project, environment=environment)
    return None if row is None else _place(row)


def every(database: Database) -> list[Place]:
    """Every environment that has infrastructure."""
    return [_place(row) for row in database.query(sql.places)]


def put(
    tx: Transaction,
    project: str,
    environment: str,
    *,
    release: str,
    folder: str,
    digest_: str,
    question: str,
    serial: int,
    resources: int,
    outputs: Mapping[str, Mapping[str, Any]],
) -> None:
    """Record what was applied; what is known of drift stays until somebody looks again."""
    tx.execute(
        sql.put_place, project=project, environment=environment, release=release, folder=folder, digest=digest_,
        question=question, serial=serial, resources=resources, outputs=digest.canonical(dict(outputs)).decode(),
        at_us=clock.now_us(),
    )  # fmt: skip


def recorded(database: Database | Transaction, project: str, environment: str) -> dict[str, Any]:
    """What a revision keeps of what there is, whatever its own release says of it."""
    place = get(database, project, environment)
    return {} if place is None else {"folder": place.folder, "digest": place.digest, "serial": place.serial}


def drop(tx: Transaction, project: str, environment: str) -> None:
    """Nothing of it is left."""
    tx.execute(sql.drop_place, project=project, environment=environment)


def looked(tx: Transaction, project: str, environment: str, drift: Sequence[Change]) -> None:
    """Record what a look for drift has found: `infra.drifted` when it begins, `infra.settled` when it is over."""
    now_us = clock.now_us()
    before = get(tx, project, environment)
    if before is None:
        return
    drifted_us = (before.drifted_us or now_us) if drift else None
    told = digest.canonical([change.document() for change in drift]).decode()
    tx.execute(
        sql.put_drift, project=project, environment=environment, checked_us=now_us, drifted_us=drifted_us, drift=told
    )
    body: dict[str, Any] = {"environment": environment, "serial": before.serial}
    subject = f"{project}/{environment}"
    if drift and before.drifted_us is None:
        body |= {"resources": len(drift), "changes": [change.document() for change in drift[:TOLD]]}
        events.append(tx, chain=project, kind="infra.drifted", subject=subject, actor=ACTOR, body=body)
    elif not drift and before.drifted_us is not None:
        body |= {"since_us": before.drifted_us}
        events.append(tx, chain=project, kind="infra.settled", subject=subject, actor=ACTOR, body=body)


def _place(row: Mapping[str, Any]) -> Place:
    drift = tuple(Change(one["address"], one["action"], tuple(one["attributes"])) for one in json.loads(row["drift"]))
    return Place(**{**row, "outputs": json.loads(row["outputs"]), "drift": drift})
