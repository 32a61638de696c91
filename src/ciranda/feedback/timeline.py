"""The timeline of an incident: what the ledger knows of its environment, from shortly before it began until it was over."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ciranda.feedback import wording
from ciranda.feedback.incidents import Incident
from ciranda.kernel import digest, statements
from ciranda.kernel.database import Database
from ciranda.kernel.events import Event

sql = statements.load("ciranda.feedback")
BEFORE = 3_600_000_000  # µs before its beginning: what led to it came earlier
AFTER = 600_000_000  # µs after its end: what was let go again
MOST = 2000  # events that are looked at
# Events of no environment that belong into the timeline of every one.
_OF_ALL = ("change.merged", "change.refused", "release.made")


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: when (µs UTC), what, by whom."""

    at_us: int
    kind: str
    what: str
    actor: str


FORMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "alert.fired": "alert {rule}{of_service}: {text}",
        "alert.resolved": "alert {rule}{of_service} is over",
        "change.merged": "change {number} ({commit}) was merged",
        "change.refused": "change {number} ({commit}) was refused: {reason}",
        "config.set": "configuration changed: {names}",
        "drift.found": "drift of {column}: {text}",
        "emergency.promoted": "{release} entered past its rules: {reason}",
        "environment.held": "held: {reason}",
        "environment.let-go": "releases may enter again",
        "incident.opened": "incident {number} was opened: {title}",
        "incident.noted": "{text}",
        "incident.resolved": "incident {number} is over",
        "incident.reviewed": "incident {number} was reviewed",
        "instance.exited": "an instance of {service} at {release} ended: {exit}",
        "job.failed": "the job {job} failed: {reason}",
        "job.finished": "the job {job} passed",
        "job.late": "the job {job} is late",
        "job.started": "the job {job} began",
        "plan.approved": "{release} was approved",
        "release.made": "release {release} was made",
        "revision.failed": "{release} did not become live: {reason}",
        "revision.reached": "{release} is live ({cause})",
        "revision.targeted": "on the way to {release} ({cause})",
        "secret.set": "the secret {name} has another version",
        "": "{kind}",
    },
    "pt": {
        "alert.fired": "alerta {rule}{of_service}: {text}",
        "alert.resolved": "o alerta {rule}{of_service} terminou",
        "change.merged": "a mudança {number} ({commit}) entrou",
        "change.refused": "a mudança {number} ({commit}) foi recusada: {reason}",
        "config.set": "a configuração mudou: {names}",
        "drift.found": "desvio de {column}: {text}",
        "emergency.promoted": "{release} entrou apesar das regras: {reason}",
        "environment.held": "segurado: {reason}",
        "environment.let-go": "versões podem entrar de novo",
        "incident.opened": "o incidente {number} foi aberto: {title}",
        "incident.noted": "{text}",
        "incident.resolved": "o incidente {number} terminou",
        "incident.reviewed": "o incidente {number} foi revisto",
        "instance.exited": "uma instância de {service} em {release} terminou: {exit}",
        "job.failed": "o trabalho {job} falhou: {reason}",
        "job.finished": "o trabalho {job} passou",
        "job.late": "o trabalho {job} está atrasado",
        "job.started": "o trabalho {job} começou",
        "plan.approved": "{release} foi aprovada",
        "release.made": "a versão {release} foi feita",
        "revision.failed": "{release} não entrou no ar: {reason}",
        "revision.reached": "{release} está no ar ({cause})",
        "revision.targeted": "a caminho de {release} ({cause})",
        "secret.set": "o segredo {name} tem outra versão",
        "": "{kind}",
    },
}


def gather(
    database: Database, one: Incident, release: Callable[[str], str], now_us: int, language: str = "en"
) -> list[Moment]:
    """The moments of an incident, in order. `release` gives "r42" for a release's identity."""
    rows = database.query(
        sql.events_between, chain=one.project, since=_first(min(one.started_us, one.opened_us) - BEFORE),
        until=_first(1000 + (now_us if one.resolved_us is None else one.resolved_us + AFTER)), most=MOST,
    )  # fmt: skip
    rows.sort(key=lambda row: int(row["seq"]))
    return of((Event(**{**row, "body": digest.parse(row["body"].encode())}) for row in rows), one, release, language)


def of(events: Iterable[Event], one: Incident, release: Callable[[str], str], language: str = "en") -> list[Moment]:
    """Those that belong to the incident, in words. Pure but for `release`."""
    return [
        Moment(event.at_us, event.kind, _words(event, release, language), event.actor)
        for event in events
        if _belongs(event, one)
    ]


def _first(us: int) -> str:
    """What no identity that was made at this moment, or later, is smaller than: the first 48 bits are milliseconds (RFC 9562)."""
    text = f"{max(0, us) // 1000:012x}"
    return f"{text[:8]}-{text[8:]}"


def _belongs(event: Event, one: Incident) -> bool:
    if event.kind.startswith("incident."):
        return event.body.get("number") == one.number
    if event.kind in _OF_ALL:
        return True
    project, _, place = event.subject.partition("/")
    environment = event.body.get("environment") or (place.partition("/")[0] if project == one.project else "")
    if environment != one.environment:
        return False
    service = event.body.get("service")
    return not (one.service and service and service != one.service)


def _words(event: Event, release: Callable[[str], str], language: str) -> str:
    body = event.body
    values = wording.Values({name: str(value) for name, value in body.items()})
    values["kind"] = event.kind
    values["of_service"] = wording.word(language, "of", service=body["service"]) if body.get("service") else ""
    if "release" in body:
        values["release"] = release(str(body["release"]))
    if event.kind == "release.made":
        values["release"] = release(event.subject)
    if event.kind == "job.late":
        values["job"] = event.subject
    if "head" in body:
        values["commit"] = str(body["head"])[:7]
    if event.kind == "config.set":
        values["names"] = ", ".join([*body.get("set", []), *body.get("unset", [])])
    forms = FORMS[language]
    return wording.plain(forms.get(event.kind, forms[""]).format_map(values))
