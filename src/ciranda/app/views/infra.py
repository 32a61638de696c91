"""Infrastructure for people: what an environment has, what was done there, what has drifted, and who has the lock."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app.views.facts import plural
from ciranda.environment import secrets, times
from ciranda.environment.infra import places, runs, states
from ciranda.environment.infra.answer import Change
from ciranda.environment.infra.runs import Run
from ciranda.kernel import errors, sealing
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.release import releases

LOOK = 2.0  # seconds, in case a wake-up was lost
SIGNS = {"create": "+", "update": "~", "replace": "±", "delete": "-", "forget": "-"}
_KINDS = {"plan": "planned", "apply": "applied", "drift": "looked for drift"}


@dataclass(frozen=True, slots=True)
class View:
    """What an environment has. `resources` are addresses with what made them; `release` is whose files it was made by."""

    project: str
    environment: str
    place: places.Place | None
    release: str
    state: states.State | None
    lock: states.Lock | None
    changing: Run | None
    resources: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, Any]:
        """The view as JSON values."""
        place, state, lock = self.place, self.state, self.lock
        return {
            "project": self.project,
            "environment": self.environment,
            "release": self.release or None,
            "folder": None if place is None else place.folder,
            "serial": None if state is None else state.serial,
            "resources": [{"address": address, "provider": provider} for address, provider in self.resources],
            "outputs": {} if place is None else {name: dict(one) for name, one in place.outputs.items()},
            "applied_us": None if place is None else place.applied_us,
            "checked_us": None if place is None else place.checked_us,
            "drifted_us": None if place is None else place.drifted_us,
            "drift": [] if place is None else [one.document() for one in place.drift],
            "lock": None
            if lock is None
            else {"id": lock.id, "run": lock.run or None, "at_us": lock.at_us, **lock.told()},
            "changing": None if self.changing is None else self.changing.id,
        }


def gather(database: Database, store: Store, home: Path, project: str, environment: str) -> View:
    """What an environment has. Raises errors.NotFound where there is nothing, errors.Refused without the key."""
    place, state = places.get(database, project, environment), states.latest(database, project, environment)
    changing = runs.changing(database, project, environment)
    if place is None and state is None and changing is None:
        raise errors.NotFound(
            f"{environment} of {project} has no infrastructure",
            hint=f'declare it: [environments.{environment}] infra = "infra/"',
        )
    listed = states.resources(json.loads(raw(database, store, home, project, environment))) if _there(state) else []
    made_by = "" if place is None else releases.by_id(database, place.release).name
    lock = states.lock_of(database, project, environment)
    return View(project, environment, place, made_by, state, lock, changing, tuple(listed))


def raw(
    database: Database, store: Store, home: Path, project: str, environment: str, serial: int | None = None
) -> bytes:
    """A state as Terraform wrote it, the newest unless a serial is named. Raises errors.NotFound, errors.Refused."""
    state = (
        states.latest(database, project, environment)
        if serial is None
        else states.get(database, project, environment, serial)
    )
    if state is None or state.gone:
        raise errors.NotFound(
            f"Ciranda keeps no state of {environment}", hint=f"see: ciranda infra history -e {environment}"
        )
    return states.open(store, sealing.load(home / secrets.FILE), state)


def lines(view: View) -> list[str]:
    """What an environment has, as people read it."""
    place, state = view.place, view.state
    by = f"by {view.release}, " if view.release else ""
    at = "" if place is None else f"{by}{times.said(place.applied_us)}"
    serial = "" if state is None else f"   serial {state.serial}"
    found = [f"{view.project} {view.environment}   {plural(len(view.resources), 'resource')}{serial}   {at}".rstrip()]
    found += [f"    {address}" for address, _ in view.resources]
    if place is not None:
        for name, one in sorted(place.outputs.items()):
            said = f"secret {one['secret']}" if "secret" in one else json.dumps(one["value"], ensure_ascii=False)
            found.append(f"  = {name}  {said}")
        found += _drift(place)
    if view.lock is not None:
        told = view.lock.told()
        who = told.get("Who") or view.lock.actor
        found.append(f"  locked by {who} since {times.said(view.lock.at_us)} ({told.get('Operation', 'unknown')})")
        if view.changing is None:
            found.append(f"    when nobody works on it any more: ciranda infra unlock -e {view.environment}")
    if view.changing is not None:
        found.append(f"  is being changed since {times.said(view.changing.queued_us)} for {view.changing.actor}")
    return found


def changed(changes: tuple[Change, ...]) -> list[str]:
    """Changes of resources, a line each."""
    return [f"  {SIGNS[one.action]} {one.address}  {', '.join(one.attributes)}".rstrip() for one in changes]


def drifted(view: View) -> list[str]:
    """What a look for drift has found."""
    assert view.place is not None
    if not view.place.drift:
        return [f"{view.environment} is as it was left"]
    what = plural(len(view.place.drift), "resource")
    mend = f"to put it back: ciranda infra plan -e {view.environment}, then apply what it says"
    left = "is not as it was" if len(view.place.drift) == 1 else "are not as they were"
    return [f"{what} of {view.environment} {left} left", *changed(view.place.drift), mend]


def history(database: Database, project: str, environment: str, most: int) -> list[dict[str, Any]]:
    """What was done, newest first, each with the state that it left, as JSON values."""
    kept = {state.serial for state in states.history(database, project, environment)}
    return [_told(run, kept) for run in runs.history(database, project, environment, most)]


def written(database: Database, project: str, environment: str) -> list[dict[str, Any]]:
    """The states that are kept, newest first, as JSON values."""
    return [
        {
            "serial": one.serial,
            "number": one.number,
            "resources": one.resources,
            "run": one.run or None,
            "actor": one.actor,
            "at_us": one.at_us,
        }
        for one in states.history(database, project, environment)
    ]


def said(told: Mapping[str, Any]) -> str:
    """A run as a line."""
    body = told["body"]
    counts = body.get("done") or body.get("counts") or {}
    what = ", ".join(f"{number} {name}" for name, number in counts.items() if number) or "nothing"
    kind = "destroyed" if told["destroy"] and told["kind"] == "apply" else _KINDS[told["kind"]]
    text = told["reason"] if told["state"] == "failed" else what if told["state"] == "done" else "on its way"
    mark = {"done": "✓", "failed": "✗"}.get(told["state"], "●")
    serial = f"   serial {told['serial']}" if told["serial"] is not None else ""
    return f"{mark} {times.said(told['queued_us'])}  {kind}  {text}{serial}   {told['actor']}"


def wait(database: Database, run: str, *, timeout: float) -> Run:
    """Wait at most `timeout` seconds for the end of a run; it may not have come."""
    until = time.monotonic() + timeout
    waiter = database.waiter()
    try:
        while True:
            found, left = runs.get(database, run), until - time.monotonic()
            if found.over or left <= 0:
                return found
            waiter.wait(min(LOOK, left))
    finally:
        waiter.close()


def _there(state: states.State | None) -> bool:
    return state is not None and not state.gone


def _drift(place: places.Place) -> list[str]:
    if place.checked_us is None:
        return []
    if place.drifted_us is None:
        return [f"  as it was left, looked at {times.said(place.checked_us)}"]
    return [f"  drifted since {times.said(place.drifted_us)}:", *(f"  {line}" for line in changed(place.drift))]


def _told(run: Run, kept: set[int]) -> dict[str, Any]:
    return {
        "id": run.id, "kind": run.kind, "destroy": run.destroy, "state": run.state, "reason": run.reason,
        "actor": run.actor, "queued_us": run.queued_us, "ended_us": run.ended_us, "serial": run.serial,
        "kept": run.serial in kept, "body": dict(run.body),
    }  # fmt: skip
