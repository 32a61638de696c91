"""Plans that Terraform made: kept by what was asked and answered, sealed, and applied as that and as nothing else."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.environment.infra import answer
from ciranda.environment.infra.answer import Answer
from ciranda.kernel import clock, digest, sealing, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store

sql = statements.load("ciranda.environment", "infra.sql")
KEPT_US = 30 * 24 * 3600 * 1_000_000  # a plan that nobody applied so long is gone


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan that can be applied. `id` is the digest of question and answer; `file` an object of the store, sealed."""

    id: str
    project: str
    environment: str
    question: str
    answer: Answer
    file: str
    run: str
    made_us: int


def identity(question: str, found: Answer) -> str:
    """The digest of a question and its answer: the same on the same state, whenever it is asked."""
    return digest.of("plan", [question, found.identity])


def get(database: Database | Transaction, id: str) -> Planned | None:
    """One plan; None: it is not kept any more."""
    row = database.one(sql.plan, id=id)
    return None if row is None else _planned(row)


def newest(database: Database | Transaction, project: str, environment: str, question: str) -> Planned | None:
    """The newest answer to a question; None: nobody has asked."""
    row = database.one(sql.plan_of_question, project=project, environment=environment, question=question)
    return None if row is None else _planned(row)


def file(store: Store, key: sealing.Key, data: bytes, project: str, environment: str, question: str) -> str:
    """Keep a saved plan, which holds secrets; returns its name. Whoever names it holds `store.steady()`."""
    return store.put(sealing.seal(key, data, bound=_bound(project, environment, question)).encode())


def open(store: Store, key: sealing.Key, planned: Planned) -> bytes:
    """The saved plan again. Raises errors.Refused for another key, errors.Corrupt, errors.NotFound."""
    bound = _bound(planned.project, planned.environment, planned.question)
    return sealing.unseal(key, store.get(planned.file).decode(), bound=bound)


def keep(
    tx: Transaction, project: str, environment: str, *, question: str, found: Answer, file: str, run: str
) -> Planned:
    """Keep what was answered; the same answer to the same question is one plan. Old ones go."""
    now_us = clock.now_us()
    name = identity(question, found)
    tx.execute(
        sql.keep_plan, id=name, project=project, environment=environment, question=question, file=file, run=run,
        body=digest.canonical(found.document() | {"identity": found.identity}).decode(), made_us=now_us,
    )  # fmt: skip
    tx.execute(sql.drop_plans, project=project, environment=environment, before_us=now_us - KEPT_US)
    kept = get(tx, name)
    assert kept is not None
    return kept


def _planned(row: Mapping[str, Any]) -> Planned:
    fields = dict(row)
    told = json.loads(fields.pop("body"))
    return Planned(**fields, answer=answer.of_document(told, told["identity"]))


def _bound(project: str, environment: str, question: str) -> bytes:
    return digest.canonical(["infra-plan", project, environment, question])
