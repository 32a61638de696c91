"""The server's layer of configuration: values that were set for one environment, over what its commit says."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ciranda.kernel import clock, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.project.values import Scalar

sql = statements.load("ciranda.environment")


@dataclass(frozen=True, slots=True)
class Set:
    """A value that was set, by whom and when (µs UTC)."""

    name: str
    value: Scalar
    actor: str
    at_us: int


def values(database: Database | Transaction, project: str, environment: str) -> dict[str, Scalar]:
    """The server's layer of an environment."""
    return {one.name: one.value for one in listed(database, project, environment)}


def listed(database: Database | Transaction, project: str, environment: str) -> list[Set]:
    """What was set for an environment, by name."""
    rows = database.query(sql.settings, project=project, environment=environment)
    return [Set(**row | {"value": json.loads(row["value"])}) for row in rows]


def put(tx: Transaction, project: str, environment: str, name: str, value: Scalar, *, actor: str) -> None:
    """Set a value; it is of the type that its release declares."""
    tx.execute(
        sql.put_setting, project=project, environment=environment, name=name, value=json.dumps(value), actor=actor,
        at_us=clock.now_us(),
    )  # fmt: skip


def drop(tx: Transaction, project: str, environment: str, name: str) -> bool:
    """Take a value back, so that the layer below speaks again; False when it was not set."""
    return bool(tx.execute(sql.drop_setting, project=project, environment=environment, name=name))


def replace(tx: Transaction, project: str, environment: str, wanted: Mapping[str, Scalar], *, actor: str) -> None:
    """Make the layer be this and nothing else."""
    there = values(tx, project, environment)
    for name in there.keys() - wanted.keys():
        drop(tx, project, environment, name)
    for name, value in wanted.items():
        if name not in there or there[name] != value or type(there[name]) is not type(value):
            put(tx, project, environment, name, value, actor=actor)
