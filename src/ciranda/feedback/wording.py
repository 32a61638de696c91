"""What people are told, in English and Portuguese."""

from collections.abc import Mapping

from ciranda.feedback.facts import Fact

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "alert.fired": "Alert {rule} in {environment}{of_service}",
        "alert.resolved": "Alert {rule} in {environment}{of_service} is over",
        "change.approved": "{actor} let change {number} in",
        "change.asked": "Change {number} asks a person: ciranda approve change/{number}",
        "change.refused": "Change {number} ({commit}) of {actor} was refused",
        "drift.found": "{column} drifts in {environment}{of_service}",
        "drift.over": "The drift of {column} in {environment}{of_service} is over",
        "infra.drifted": "The infrastructure of {environment} is not as it was applied",
        "infra.failed": "The infrastructure of {environment} could not be applied",
        "infra.settled": "The infrastructure of {environment} is as it was applied again",
        "reaction.decided": "The reaction {reaction} in {environment} asks a person before it does {do}",
        "reaction.done": "The reaction {reaction} did {do} in {environment}",
        "reaction.refused": "The reaction {reaction} could not do {do} in {environment}",
        "rollout.failed": "{release} is worse than what runs beside it: all requests of {environment} went back",
        "rollout.waits": "Nothing can be told of {release} in {environment}: ciranda rollout show -e {environment}",
        "emergency.promoted": "{actor} let {release} into {environment} past its rules",
        "emergency.reviewed": "{actor} reviewed the emergency of {environment}",
        "environment.held": "{actor} holds {environment}: no new release enters",
        "environment.let-go": "{actor} lets releases into {environment} again",
        "incident.opened": "Incident {number} in {environment}: {title}",
        "incident.resolved": "Incident {number} in {environment} is over: {title}",
        "incident.reviewed": "Incident {number} was reviewed: {title}",
        "item.closed": "Item {number} is done: {title}",
        "job.failed": "The job {job} failed in {environment}",
        "job.late": "The job {job} is late in {environment}: it should be there by {ready_by}",
        "plan.approved": "{actor} approved {release} for {environment}",
        "plan.asked": "{release} waits for approval in {environment}: ciranda approve {release} -e {environment}",
        "revision.failed": "{release} did not become live in {environment}; what ran there goes on",
        "revision.reached": "{release} is live in {environment}",
        "revision.reached/rollback": "{environment} went back to {release}",
        "revision.reached/destroy": "{environment} was destroyed",
        "revision.reached/scale": "{environment} runs another number of instances",
        "revision.reached/config": "{environment} runs with another configuration",
        "revision.reached/secret": "{environment} runs with another secret",
    },
    "pt": {
        "alert.fired": "Alerta {rule} em {environment}{of_service}",
        "alert.resolved": "O alerta {rule} em {environment}{of_service} terminou",
        "change.approved": "{actor} deixou entrar a mudança {number}",
        "change.asked": "A mudança {number} pergunta a uma pessoa: ciranda approve change/{number}",
        "change.refused": "A mudança {number} ({commit}) de {actor} foi recusada",
        "drift.found": "{column} desviou em {environment}{of_service}",
        "drift.over": "O desvio de {column} em {environment}{of_service} terminou",
        "infra.drifted": "A infraestrutura de {environment} não está como foi aplicada",
        "infra.failed": "A infraestrutura de {environment} não pôde ser aplicada",
        "infra.settled": "A infraestrutura de {environment} está de novo como foi aplicada",
        "reaction.decided": "A reação {reaction} em {environment} pergunta a uma pessoa antes de fazer {do}",
        "reaction.done": "A reação {reaction} fez {do} em {environment}",
        "reaction.refused": "A reação {reaction} não pôde fazer {do} em {environment}",
        "rollout.failed": "{release} é pior do que o que roda a seu lado: todos os pedidos de {environment} voltaram",
        "rollout.waits": "Nada se pode dizer de {release} em {environment}: ciranda rollout show -e {environment}",
        "emergency.promoted": "{actor} deixou {release} entrar em {environment} apesar das regras",
        "emergency.reviewed": "{actor} reviu a emergência de {environment}",
        "environment.held": "{actor} segurou {environment}: nenhuma versão nova entra",
        "environment.let-go": "{actor} deixa entrar versões em {environment} de novo",
        "incident.opened": "Incidente {number} em {environment}: {title}",
        "incident.resolved": "O incidente {number} em {environment} terminou: {title}",
        "incident.reviewed": "O incidente {number} foi revisto: {title}",
        "item.closed": "O item {number} está pronto: {title}",
        "job.failed": "O trabalho {job} falhou em {environment}",
        "job.late": "O trabalho {job} está atrasado em {environment}: devia estar pronto até {ready_by}",
        "plan.approved": "{actor} aprovou {release} para {environment}",
        "plan.asked": "{release} espera aprovação em {environment}: ciranda approve {release} -e {environment}",
        "revision.failed": "{release} não entrou em {environment}; o que rodava lá continua",
        "revision.reached": "{release} está no ar em {environment}",
        "revision.reached/rollback": "{environment} voltou para {release}",
        "revision.reached/destroy": "{environment} foi desfeito",
        "revision.reached/scale": "{environment} roda com outro número de instâncias",
        "revision.reached/config": "{environment} roda com outra configuração",
        "revision.reached/secret": "{environment} roda com outro segredo",
    },
}
WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "of": " of {service}",
        "many": "{count} things in {project}",
        "more": "and {count} more",
        "one": "{count} older fact was not told",
        "older": "{count} older facts were not told",
        "test": "A test of the channel {channel}: it works",
        "by": "by",
        "open": "Open",
        "runbook": "Runbook",
    },
    "pt": {
        "of": " de {service}",
        "many": "{count} coisas em {project}",
        "more": "e mais {count}",
        "one": "{count} fato mais antigo não foi contado",
        "older": "{count} fatos mais antigos não foram contados",
        "test": "Um teste do canal {channel}: ele funciona",
        "by": "por",
        "open": "Abrir",
        "runbook": "Roteiro",
    },
}
SEVERITIES: Mapping[str, Mapping[str, str]] = {
    "en": {"info": "for information", "ticket": "for working hours", "page": "somebody must act"},
    "pt": {"info": "para informação", "ticket": "para o horário de trabalho", "page": "alguém precisa agir"},
}


class Values(dict[str, str]):
    """What a sentence names and an event does not say is a dash: an older event tells less."""

    def __missing__(self, key: str) -> str:
        return "–"


def sentence(fact: Fact, language: str) -> str:
    """What happened, in one line of plain text."""
    of_service = word(language, "of", service=fact.service) if fact.service else ""
    values = Values({**fact.values, "of_service": of_service})
    form = fact.form if fact.form in SENTENCES[language] else fact.event
    return plain(SENTENCES[language][form].format_map(values))


def word(language: str, name: str, **values: object) -> str:
    """One of the small words of a message."""
    return WORDS[language][name].format_map(values)


def plain(text: str, most: int = 300) -> str:
    """One line without control characters, at most `most` long: whatever was pushed ends up here."""
    line = " ".join("".join(character if character.isprintable() else " " for character in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"
