"""Pins: the versions of references that a protected branch last passed with. A push is judged on them, whatever has arrived since."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ciranda.kernel import digest, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.loop.changes import Change
from ciranda.pipeline.records import Version
from ciranda.project.declaration import Source

sql = statements.load("ciranda.loop")


@dataclass(frozen=True, slots=True)
class Pin:
    """What a source was when its branch passed: where it lay, as it was declared, and its version."""

    place: str
    version: Version


def current(database: Database | Transaction, project: str) -> dict[str, Pin]:
    """The pins of a project's protected branch, by source."""
    rows = database.query(sql.pins, project=project)
    return {row["source"]: Pin(row["place"], Version(**json.loads(row["version"]))) for row in rows}


def keep(tx: Transaction, change: Change) -> None:
    """The branch has passed with what this change was judged on."""
    judged = change.outcome.get("pins")
    if judged is None:  # judged before there were pins
        return
    tx.execute(sql.forget_pins, project=change.project)
    for source, pin in parse(judged).items():
        version = digest.canonical(asdict(pin.version)).decode()
        tx.execute(
            sql.keep_pin, project=change.project, source=source, place=pin.place, version=version, change=change.id
        )


def holding(sources: Iterable[Source], pins: Mapping[str, Pin]) -> dict[str, Version]:
    """The versions of those sources that are still declared to lie where their pin was made."""
    declared = {source.name: source.place for source in sources if source.reference}
    return {name: pin.version for name, pin in pins.items() if declared.get(name) == pin.place}


def of_run(sources: Iterable[Source], assets: Mapping[str, Version]) -> dict[str, Any]:
    """The pins that a run was made with, as JSON values."""
    return told({s.name: Pin(s.place, assets[s.name]) for s in sources if s.reference and s.name in assets})


def told(pins: Mapping[str, Pin]) -> dict[str, Any]:
    """Pins as JSON values."""
    return {source: {"place": pin.place, "version": asdict(pin.version)} for source, pin in pins.items()}


def parse(kept: Mapping[str, Any]) -> dict[str, Pin]:
    """Pins from JSON values."""
    return {source: Pin(pin["place"], Version(**pin["version"])) for source, pin in kept.items()}


def overtaken(judged: Mapping[str, Pin], now: Mapping[str, Pin]) -> list[str]:
    """The sources of which other data has passed since: a change that was judged on these would lose it. Pure."""
    return sorted(
        name
        for name, pin in judged.items()
        if name in now and now[name].place == pin.place and now[name].version.digest != pin.version.digest
    )
