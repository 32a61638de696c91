"""States of Terraform of which Ciranda is the backend: sealed, every version kept for a while, written by one at a time.

The protocol is that of Terraform's `http` backend (https://developer.hashicorp.com/terraform/language/backend/http): a
state is written with the identity of its lock, and whoever finds it locked is told who has it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ciranda.environment import times
from ciranda.kernel import clock, digest, errors, events, sealing, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store

sql = statements.load("ciranda.environment", "infra.sql")
KEPT = 50  # states of an environment


@dataclass(frozen=True, slots=True)
class State:
    """One version. `serial` is ours, `number` Terraform's own serial in its `lineage`; `run` is "" for somebody's own Terraform."""

    project: str
    environment: str
    serial: int
    lineage: str
    number: int
    object: str
    resources: int
    run: str
    actor: str
    at_us: int

    @property
    def gone(self) -> bool:
        """It was deleted: there is no state any more."""
        return not self.object


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may write. `info` is what Terraform says of it: `Who`, `Operation`, `Created` …"""

    project: str
    environment: str
    id: str
    info: str
    run: str
    actor: str
    at_us: int

    def told(self) -> Mapping[str, Any]:
        """What Terraform says of it."""
        return _object(self.info.encode()) or {}


@dataclass(frozen=True, slots=True)
class Writer:
    """Whoever writes: a user, or the Terraform of one run."""

    actor: str
    run: str = ""


class Locked(errors.Refused):
    """Somebody else has the lock."""

    def __init__(self, lock: Lock) -> None:
        who = lock.told().get("Who") or lock.actor
        super().__init__(
            f"the state of {lock.environment} is locked by {who} since {times.said(lock.at_us)}",
            where=f"lock {lock.id}",
            hint=f"when nobody works on it any more: ciranda infra unlock -e {lock.environment}",
        )
        self.lock = lock


def latest(database: Database | Transaction, project: str, environment: str) -> State | None:
    """The newest state; None where none was written yet."""
    row = database.one(sql.last_state, project=project, environment=environment)
    return None if row is None else State(**row)


def serial(database: Database | Transaction, project: str, environment: str) -> int:
    """The serial of the newest state; 0 where there is none."""
    found = latest(database, project, environment)
    return 0 if found is None else found.serial


def get(database: Database | Transaction, project: str, environment: str, serial: int) -> State:
    """One version. Raises errors.NotFound."""
    row = database.one(sql.state_by_serial, project=project, environment=environment, serial=serial)
    if row is None:
        raise errors.NotFound(
            f"{environment} has no state {serial}", hint=f"what there is: ciranda infra history -e {environment}"
        )
    return State(**row)


def history(database: Database | Transaction, project: str, environment: str, most: int = KEPT) -> list[State]:
    """The versions that are kept, newest first."""
    rows = database.query(sql.states, project=project, environment=environment, most=most)
    return [State(**row) for row in rows]


def open(store: Store, key: sealing.Key, state: State) -> bytes:
    """What was written. Raises errors.Refused for another key, errors.Corrupt, errors.NotFound."""
    return sealing.unseal(key, store.get(state.object).decode(), bound=_bound(state))


def put(
    database: Database,
    store: Store,
    key: sealing.Key,
    project: str,
    environment: str,
    data: bytes,
    *,
    writer: Writer,
    lock: str,
) -> State:
    """Keep another version; `lock` is the identity that the writer was given, "" without one.

    The same state again is no other version. Raises errors.Invalid for what is no state, Locked while somebody else has
    the lock, errors.Refused for a run without it and for a run's state that is older than what is there.
    """
    told = _object(data)
    lineage, number = (told or {}).get("lineage"), (told or {}).get("serial")
    if told is None or not isinstance(lineage, str) or not isinstance(number, int) or isinstance(number, bool):
        raise errors.Invalid("this is not a state of Terraform: it has no lineage and no serial")
    draft = State(project, environment, 0, lineage, number, "", _resources(told), writer.run, writer.actor, 0)

    def work(tx: Transaction) -> State:
        _refuse_unlocked(tx, draft, writer, lock)
        last = latest(tx, project, environment)
        same = last is not None and not last.gone and (last.lineage, last.number) == (lineage, number)
        if last is not None and same and open(store, key, last) == data:
            return last
        if last is not None and writer.run and last.lineage == lineage and last.number >= number:
            raise errors.Refused(f"this state has the serial {number}, and {last.number} is there already")
        return _insert(tx, replace(draft, object=kept), last)

    with store.steady():
        kept = store.put(sealing.seal(key, data, bound=_bound(draft)).encode())
        return database.write(work)


def purge(tx: Transaction, project: str, environment: str, *, writer: Writer, lock: str) -> None:
    """Let there be no state any more; older versions are kept as long as others. Raises as `put` does."""
    last = latest(tx, project, environment)
    if last is None or last.gone:
        return
    draft = State(project, environment, 0, last.lineage, last.number, "", 0, writer.run, writer.actor, 0)
    _refuse_unlocked(tx, draft, writer, lock)
    _insert(tx, draft, last)


def lock_of(database: Database | Transaction, project: str, environment: str) -> Lock | None:
    """Who has the lock; None: nobody."""
    row = database.one(sql.lock, project=project, environment=environment)
    return None if row is None else Lock(**row)


def take(tx: Transaction, project: str, environment: str, data: bytes, *, writer: Writer) -> Lock:
    """Take the lock; whoever has it already may ask again. Raises Locked, errors.Invalid for what names no lock."""
    told = _object(data)
    name = (told or {}).get("ID")
    if not isinstance(name, str) or not name:
        raise errors.Invalid("this is not a lock of Terraform: it has no ID")
    wanted = Lock(project, environment, name, data.decode(), writer.run, writer.actor, clock.now_us())
    if not tx.execute(sql.insert_lock, **{field: getattr(wanted, field) for field in wanted.__dataclass_fields__}):
        there = lock_of(tx, project, environment)
        assert there is not None
        if there.id != name:
            raise Locked(there)
        return there
    return wanted


def give_back(tx: Transaction, project: str, environment: str, data: bytes, *, writer: Writer) -> None:
    """Give the lock back; nothing happens where there is none. Without an ID (`terraform force-unlock`) a user breaks it.

    Raises Locked when it is another one, and for a run whose lock it is not.
    """
    there = lock_of(tx, project, environment)
    if there is None:
        return
    name = (_object(data) or {}).get("ID") if data.strip() else None
    if there.id != name and (name is not None or writer.run):
        raise Locked(there)
    tx.execute(sql.drop_lock, project=project, environment=environment, id=there.id)


def release_run(tx: Transaction, run: str) -> bool:
    """Give back what the Terraform of a run left locked: nobody lives who could. False: there was nothing."""
    return bool(tx.execute(sql.drop_lock_of_run, run=run))


def resources(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The resources of a state, each by its address and the provider that made it, by address."""
    found = []
    for one in told.get("resources", []):
        if one.get("mode") != "managed":
            continue
        module = f"{one['module']}." if one.get("module") else ""
        for instance in one.get("instances", []):
            key = instance.get("index_key")
            said = "" if key is None else f"[{json.dumps(key)}]"
            provider = str(one.get("provider", "")).removeprefix('provider["').removesuffix('"]')
            found.append((f"{module}{one['type']}.{one['name']}{said}", provider))
    return sorted(found)


def _insert(tx: Transaction, draft: State, last: State | None) -> State:
    made = replace(draft, serial=1 + (0 if last is None else last.serial), at_us=clock.now_us())
    tx.execute(sql.insert_state, **{name: getattr(made, name) for name in made.__dataclass_fields__})
    tx.execute(sql.drop_states, project=made.project, environment=made.environment, serial=made.serial - KEPT)
    if not made.run:  # what Ciranda's own Terraform does is told when it ends
        body = {"environment": made.environment, "serial": made.serial, "resources": made.resources}
        subject = f"{made.project}/{made.environment}"
        events.append(tx, chain=made.project, kind="infra.written", subject=subject, actor=made.actor, body=body)
    return made


def _refuse_unlocked(tx: Transaction, draft: State, writer: Writer, lock: str) -> None:
    there = lock_of(tx, draft.project, draft.environment)
    if there is not None and there.id != lock:
        raise Locked(there)
    if there is None and (lock or writer.run):
        raise errors.Refused(
            f"the lock {lock or 'of this run'} of {draft.environment} was broken meanwhile: nothing is written",
            hint=f"see: ciranda infra state -e {draft.environment}",
        )
    if there is not None and writer.run and there.run != writer.run:
        raise Locked(there)


def _resources(told: Mapping[str, Any]) -> int:
    try:
        return len(resources(told))
    except (AttributeError, KeyError, TypeError):
        raise errors.Invalid("this is not a state of Terraform: its resources cannot be read") from None


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _bound(state: State) -> bytes:
    return digest.canonical(["infra-state", state.project, state.environment, state.lineage, state.number])
