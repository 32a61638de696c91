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
_OF_ALL = ("change.approved", "change.merged", "change.refused", "release.made", "rule.accepted")
# What a revision is made by, where the word is not that of the ledger.
_CAUSES: Mapping[str, Mapping[str, str]] = {
    "en": {},
    "pt": {
        "promotion": "promoção", "rollback": "volta", "scale": "escala", "config": "configuração", "secret": "segredo",
        "destroy": "destruição", "infra": "infraestrutura",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened: when (µs UTC), what, by whom."""

    at_us: int
    kind: str
    what: str
    actor: str


# By kind, or by kind and what its body says of it; an event without words belongs into no timeline.
FORMS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "alert.acknowledged": "alert {rule}{of_service} is looked after",
        "alert.fired": "alert {rule}{of_service}: {text}",
        "alert.resolved": "alert {rule}{of_service} is over",
        "alert.silenced": "alerts {rule}{of_service} are silenced: {reason}",
        "alert.unsilenced": "alerts {rule}{of_service} are told again",
        "change.approved": "change {number} ({commit}) was let in, though some of its checks could not be judged",
        "change.merged": "change {number} ({commit}) was merged",
        "change.refused": "change {number} ({commit}) was refused: {reason}",
        "config.set": "configuration changed: {names}",
        "drift.found": "drift of {column}: {text}",
        "drift.over": "the drift of {column} is over",
        "emergency.promoted": "{release} entered past its rules: {reason}",
        "emergency.reviewed": "the emergency was reviewed: {note}",
        "environment.held": "held: {reason}",
        "environment.let-go": "releases may enter again",
        "incident.opened": "incident {number} was opened: {title}",
        "incident.noted": "{text}",
        "incident.resolved": "incident {number} is over",
        "incident.reviewed": "incident {number} was reviewed",
        "infra.applied": "the infrastructure was applied: {resources} resources",
        "infra.destroyed": "the infrastructure was taken away",
        "infra.drifted": "the infrastructure is not as it was applied: {resources} resources differ",
        "infra.failed": "the infrastructure could not be applied: {reason}",
        "infra.settled": "the infrastructure is as it was applied again",
        "infra.unlocked": "the lock of the infrastructure that {who} held was broken",
        "infra.written": "somebody's own Terraform changed the infrastructure: {resources} resources",
        "instance.exited": "an instance of {service} at {release} ended: {exit}",
        "job.failed": "the job {job} failed: {reason}",
        "job.finished": "the job {job} passed",
        "job.late": "the job {job} is late",
        "job.started": "the job {job} began",
        "plan.approved": "{release} was approved",
        "plan.asked": "{release} waits for approval",
        "reaction.approved": "the reaction {reaction} was let do {do}",
        "reaction.decided/act": "the reaction {reaction} begins to do {do}: {why}",
        "reaction.decided/ask": "the reaction {reaction} asks a person before it does {do}: {why}",
        "reaction.decided/skip": "the reaction {reaction} lets it be: {why}",
        "reaction.declined": "the reaction {reaction} was told to let it be: {why}",
        "reaction.done": "the reaction {reaction} did {do}",
        "reaction.lapsed": "the reaction {reaction} has lapsed: {why}",
        "reaction.refused": "the reaction {reaction} could not do {do}: {why}",
        "release.made": "release {release} was made",
        "revision.failed": "{release} did not become live: {reason}",
        "revision.reached": "{release} is live ({cause})",
        "revision.reached/destroy": "the environment was destroyed",
        "revision.targeted": "on the way to {release} ({cause})",
        "revision.targeted/destroy": "the environment is being destroyed",
        "rollout.aborted": "{release} was taken back: {reason}",
        "rollout.began": "{release} gets {weight} % of the requests, beside {against}",
        "rollout.failed": "{release} is worse than {against}, all requests went back: {reason}",
        "rollout.paused": "the rollout of {release} stands at {weight} %: {reason}",
        "rollout.resumed": "the rollout of {release} goes on at {weight} %",
        "rollout.stepped": "{release} gets {weight} % of the requests",
        "rollout.waits": "the rollout of {release} waits for a person at {weight} %: {reason}",
        "rule.accepted": "rules were loosened: {rules}",
        "secret.set": "the secret {name} has another version",
    },
    "pt": {
        "alert.acknowledged": "alguém cuida do alerta {rule}{of_service}",
        "alert.fired": "alerta {rule}{of_service}: {text}",
        "alert.resolved": "o alerta {rule}{of_service} terminou",
        "alert.silenced": "alertas {rule}{of_service} silenciados: {reason}",
        "alert.unsilenced": "alertas {rule}{of_service} são ditos de novo",
        "change.approved": "a mudança {number} ({commit}) foi deixada entrar, embora nem tudo nela se pudesse julgar",
        "change.merged": "a mudança {number} ({commit}) entrou",
        "change.refused": "a mudança {number} ({commit}) foi recusada: {reason}",
        "config.set": "a configuração mudou: {names}",
        "drift.found": "desvio de {column}: {text}",
        "drift.over": "o desvio de {column} terminou",
        "emergency.promoted": "{release} entrou apesar das regras: {reason}",
        "emergency.reviewed": "a emergência foi revista: {note}",
        "environment.held": "segurado: {reason}",
        "environment.let-go": "versões podem entrar de novo",
        "incident.opened": "o incidente {number} foi aberto: {title}",
        "incident.noted": "{text}",
        "incident.resolved": "o incidente {number} terminou",
        "incident.reviewed": "o incidente {number} foi revisto",
        "infra.applied": "a infraestrutura foi aplicada: {resources} recursos",
        "infra.destroyed": "a infraestrutura foi desfeita",
        "infra.drifted": "a infraestrutura não está como foi aplicada: {resources} recursos diferem",
        "infra.failed": "a infraestrutura não pôde ser aplicada: {reason}",
        "infra.settled": "a infraestrutura está de novo como foi aplicada",
        "infra.unlocked": "a trava da infraestrutura, de {who}, foi quebrada",
        "infra.written": "um Terraform de fora mudou a infraestrutura: {resources} recursos",
        "instance.exited": "uma instância de {service} em {release} terminou: {exit}",
        "job.failed": "o trabalho {job} falhou: {reason}",
        "job.finished": "o trabalho {job} passou",
        "job.late": "o trabalho {job} está atrasado",
        "job.started": "o trabalho {job} começou",
        "plan.approved": "{release} foi aprovada",
        "plan.asked": "{release} espera aprovação",
        "reaction.approved": "a reação {reaction} pode fazer {do}",
        "reaction.decided/act": "a reação {reaction} começa a fazer {do}: {why}",
        "reaction.decided/ask": "a reação {reaction} pergunta a uma pessoa antes de fazer {do}: {why}",
        "reaction.decided/skip": "a reação {reaction} não faz nada: {why}",
        "reaction.declined": "disseram à reação {reaction} que não fizesse nada: {why}",
        "reaction.done": "a reação {reaction} fez {do}",
        "reaction.lapsed": "a reação {reaction} caducou: {why}",
        "reaction.refused": "a reação {reaction} não pôde fazer {do}: {why}",
        "release.made": "a versão {release} foi feita",
        "revision.failed": "{release} não entrou no ar: {reason}",
        "revision.reached": "{release} está no ar ({cause})",
        "revision.reached/destroy": "o ambiente foi desfeito",
        "revision.targeted": "a caminho de {release} ({cause})",
        "revision.targeted/destroy": "o ambiente está sendo desfeito",
        "rollout.aborted": "{release} foi retirada: {reason}",
        "rollout.began": "{release} recebe {weight} % dos pedidos, ao lado de {against}",
        "rollout.failed": "{release} é pior do que {against}, todos os pedidos voltaram: {reason}",
        "rollout.paused": "a entrada de {release} está parada em {weight} %: {reason}",
        "rollout.resumed": "a entrada de {release} continua em {weight} %",
        "rollout.stepped": "{release} recebe {weight} % dos pedidos",
        "rollout.waits": "a entrada de {release} espera por uma pessoa em {weight} %: {reason}",
        "rule.accepted": "regras foram afrouxadas: {rules}",
        "secret.set": "o segredo {name} tem outra versão",
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
        if _form(event) and _belongs(event, one)
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


def _form(event: Event) -> str:
    """Which words tell it; "": none."""
    told = event.body.get("answer") if event.kind == "reaction.decided" else event.body.get("cause")
    forms = FORMS["en"]
    return next((form for form in (f"{event.kind}/{told}", event.kind) if form in forms), "")


def _words(event: Event, release: Callable[[str], str], language: str) -> str:
    body = event.body
    values = wording.Values({name: str(value) for name, value in body.items()})
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
    if event.kind == "rule.accepted":
        values["rules"] = ", ".join(map(str, body.get("rules", [])))
    if "cause" in body:
        values["cause"] = _CAUSES[language].get(str(body["cause"]), str(body["cause"]))
    return wording.plain(FORMS[language][_form(event)].format_map(values))
