"""The audit log: who did what and when, from the events of the ledger, and whether their chains are as they were written."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ciranda.kernel import errors, events
from ciranda.kernel.database import Database

MOST = 1000  # events of one answer
_PIECE = 1000
_LAST = 1 << 62


@dataclass(frozen=True, slots=True)
class Asked:
    """Which facts: since when (µs UTC), of whom, of which project ("-": of the home), of which kind or its first word."""

    since_us: int = 0
    actor: str = ""
    project: str = ""
    kind: str = ""
    before: int = _LAST
    most: int = 100
    verify: bool = True

    def takes(self, event: events.Event) -> bool:
        """Whether a fact is asked for."""
        return (
            self.actor in ("", event.actor)
            and self.project in ("", event.chain)
            and (not self.kind or event.kind == self.kind or event.kind.startswith(f"{self.kind}."))
        )


@dataclass(frozen=True, slots=True)
class Chain:
    """One chain: how many events it has; `broken` says what is not as it was written."""

    name: str
    events: int
    broken: str = ""


@dataclass(frozen=True, slots=True)
class Audit:
    """The facts that were asked for, the oldest first; `earlier`: below which number there are more, None: there are none."""

    events: tuple[events.Event, ...]
    chains: tuple[Chain, ...]
    earlier: int | None

    @property
    def broken(self) -> bool:
        """Whether a chain is not as it was written."""
        return any(chain.broken for chain in self.chains)

    def document(self) -> dict[str, Any]:
        """The log as JSON values."""
        return {
            "events": [_event(event) for event in self.events],
            "chains": [{"name": one.name, "events": one.events, "broken": one.broken} for one in self.chains],
            "earlier": self.earlier,
        }


def gather(database: Database, asked: Asked, *, sees: Callable[[str], bool] = lambda _chain: True) -> Audit:
    """What was asked for, of the chains that whoever asks may see. Raises errors.Invalid for a number of them that cannot be."""
    if not 1 <= asked.most <= MOST:
        raise errors.Invalid(f"{asked.most} events at once", hint=f"between 1 and {MOST:,}")
    visible = {one.name: one for one in events.chains(database) if sees(one.name) and asked.project in ("", one.name)}
    found: list[events.Event] = []
    for event in _backwards(database, asked.before):
        if event.at_us < asked.since_us or len(found) > asked.most:
            break
        if event.chain in visible and asked.takes(event):
            found.append(event)
    more = len(found) > asked.most
    shown = found[: asked.most]
    chains = tuple(_checked(database, one) for one in visible.values()) if asked.verify else ()
    return Audit(tuple(reversed(shown)), chains, shown[-1].seq if more else None)


def words(body: Mapping[str, Any]) -> str:
    """`environment prod, reason the fair is on`: what a fact says, but for identities that say nothing to people."""
    return ", ".join(f"{name} {_value(value)}" for name, value in body.items() if value not in (None, "", [], {}))


def _backwards(database: Database, seq: int) -> Iterator[events.Event]:
    while rows := events.before(database, seq, limit=_PIECE):
        yield from rows
        seq = rows[-1].seq


def _checked(database: Database, chain: events.Chain) -> Chain:
    try:
        return Chain(chain.name, events.verify(database, chain.name))
    except errors.Corrupt as error:
        return Chain(chain.name, chain.events, str(error))


def _value(value: Any) -> str:
    if isinstance(value, list):
        return " and ".join(_value(one) for one in value)
    if isinstance(value, str) and value.startswith("b3:"):
        return value[:9]
    return str(value)


def _event(event: events.Event) -> dict[str, Any]:
    return {
        "seq": event.seq, "at_us": event.at_us, "project": event.chain, "kind": event.kind, "subject": event.subject,
        "actor": event.actor, "body": event.body, "hash": event.hash,
    }  # fmt: skip
