"""Facts: events of the ledger that people are told of, with how bad they are, whom they concern, and what a sentence needs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ciranda.kernel.events import Event
from ciranda.project.declaration import Channel, Project
from ciranda.project.notify import EVENTS, SEVERITIES

_BAD = (
    "change.asked",
    "change.refused",
    "drift.found",
    "emergency.promoted",
    "infra.drifted",
    "infra.failed",
    "job.failed",
    "job.late",
    "plan.asked",
    "reaction.decided",
    "reaction.refused",
    "revision.failed",
    "rollout.failed",
    "rollout.waits",
)
# Rules that hold by default and say no more than `job.failed`, `job.late` and `drift.found` do.
_SAID = ("job-failed", "job-late", "drift")
_TURNS = {"promotion": "", "clone": ""}  # causes of a revision that are told as "live"; others have words of their own


@dataclass(frozen=True, slots=True)
class Fact:
    """What people are told. `form` chooses its words, `values` fill them in; `path` is its page, "" where it has none."""

    seq: int
    at_us: int
    event: str
    form: str
    severity: str
    project: str
    environment: str
    service: str
    owner: str
    actor: str
    values: Mapping[str, str] = field(default_factory=dict)
    text: str = ""  # what the ledger has said already, in its own words
    path: str = ""
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What events name by identity, looked up: `release` gives "r42" for a release's identity."""

    project: Project
    release: Callable[[str], str]


def of(event: Event, names: Names) -> Fact | None:
    """What an event is for people; None: nothing. Pure but for the names."""
    body = event.body
    if event.kind not in EVENTS or _needless(event):
        return None
    environment = str(body.get("environment") or _place(event))
    service = str(body.get("service") or "")
    values = {name: str(body[name]) for name in _PLAIN if body.get(name) not in (None, "")}
    values |= {"environment": environment or event.chain, "service": service, "actor": event.actor}
    if "release" in body:
        values["release"] = names.release(str(body["release"]))
    if "head" in body:
        values["commit"] = str(body["head"])[:7]
    return Fact(
        seq=event.seq,
        at_us=event.at_us,
        event=event.kind,
        form=_form(event),
        severity=_severity(event),
        project=event.chain,
        environment=environment,
        service=service,
        owner=str(body.get("owner") or _owner(names.project, service, str(body.get("job") or _job(event)))),
        actor=event.actor,
        values=values | ({"job": _job(event)} if event.kind == "job.late" else {}),
        text=str(body.get("text") or body.get("reason") or body.get("why") or ""),
        path=_path(event, environment),
        runbook=str(body.get("runbook") or ""),
    )


_PLAIN = (
    "number",
    "reason",
    "job",
    "ready_by",
    "rule",
    "column",
    "measure",
    "title",
    "needed",
    "commit",
    "plan",
    "checks",
    "value",
    "reaction",
    "do",
)


def wanted(fact: Fact, channel: Channel) -> bool:
    """Whether a channel asked to be told. Pure."""
    if SEVERITIES.index(fact.severity) < SEVERITIES.index(channel.severity):
        return False
    if channel.owners and fact.owner not in channel.owners:
        return False
    return not channel.events or fact.event in channel.events or fact.event.partition(".")[0] in channel.events


def severity(text: object) -> str:
    """How bad an alert or incident is, of whatever its rule says: what is not known is worth a look. Pure."""
    return str(text) if text in SEVERITIES else "ticket"


def _severity(event: Event) -> str:
    if event.kind.startswith(("alert.", "incident.")):
        return severity(event.body.get("severity"))
    turned = event.kind == "revision.reached" and event.body.get("cause") in ("rollback", "destroy")
    return "ticket" if turned or event.kind in _BAD else "info"


def _needless(event: Event) -> bool:
    """What need not be told: an alert of what an event of its own tells better, a reaction that asks nobody."""
    if event.kind == "reaction.decided":
        return event.body.get("answer") != "ask"
    return event.kind.startswith("alert.") and event.body.get("rule") in _SAID and _severity(event) != "page"


def _form(event: Event) -> str:
    """Which words tell it: its kind, and for revisions and data what caused it."""
    if event.kind.startswith("revision."):
        cause = str(event.body.get("cause", ""))
        turn = _TURNS.get(cause, f"/{cause}")
        return f"{event.kind}{turn if event.kind == 'revision.reached' else ''}"
    return event.kind


def _place(event: Event) -> str:
    """The environment that a subject names: `flights/prod`."""
    project, _, environment = event.subject.partition("/")
    return environment if project == event.chain else ""


def _job(event: Event) -> str:
    return event.subject if event.kind == "job.late" else ""


def _owner(project: Project, service: str, job: str) -> str:
    own = [one.owner for one in project.services if one.name == service] if service else []
    own += [one.owner for one in project.jobs if one.name == job] if job else []
    return next((owner for owner in own if owner), project.owner)


def _path(event: Event, environment: str) -> str:
    """The page where more is told, below the server's address."""
    number, job = event.body.get("number"), event.body.get("job") or _job(event)
    match event.kind.partition(".")[0]:
        case "change" if number is not None:
            return f"/{event.chain}/changes/{number}"
        case "incident" if number is not None:
            return f"/{event.chain}/incidents/{number}"
        case "job" if job:
            return f"/{event.chain}/jobs/{job}?environment={environment}"
        case "item":
            return f"/{event.chain}/incidents"
        case _:
            return f"/{event.chain}/environments/{environment}" if environment else f"/{event.chain}"
