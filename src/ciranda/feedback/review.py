"""The review of an incident: a Markdown draft that blames nobody, and the actions that a filled-in one names. Pure."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ciranda.feedback import wording
from ciranda.feedback.incidents import Incident
from ciranda.feedback.items import Item
from ciranda.feedback.timeline import Moment
from ciranda.kernel import errors

MOST = 50  # actions of one review
_ACTION = re.compile(r"^\s*[-*]\s+\[( |x|X)\]\s+(?P<title>.+?)\s*$")
_OWNER = re.compile(r"\s*\((?P<owner>@[\w./-]{1,80})\)\s*\Z")
_ITEM = re.compile(r"\bitem/\d+\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Failed:
    """Requests of the environment's services while it went on: how many, and how many of them failed."""

    requests: int
    failed: int


@dataclass(frozen=True, slots=True)
class Action:
    """A line of the actions: what is to be done, by whom ("" nobody yet)."""

    title: str
    owner: str


WORDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "title": "Review of incident {number}: {title}",
        "blameless": "People did what seemed right with what they knew. This page asks what made it possible, and what would make it\n"
        "less likely or shorter the next time; not who.",
        "summary": "Summary",
        "summary_hint": "In three sentences: what happened, whom it touched and how, how it ended.",
        "facts": "Facts",
        "place": "Where",
        "severity": "Severity",
        "owner": "Owner",
        "began": "Began",
        "found": "Noticed",
        "over": "Over",
        "detect": "Time to notice",
        "restore": "Time to restore",
        "requests": "Requests that failed",
        "of": "{failed} of {requests}",
        "unknown": "not known",
        "still": "not over yet",
        "timeline": "Timeline",
        "nothing": "The ledger has nothing of this time.",
        "factors": "What contributed",
        "factors_hint": "Conditions, not culprits: what in the data, the model, the code, the tests, the alerts, the plan let it through?",
        "factors_rows": "What made it possible?\nWhat made it worse, or longer?\nWhat went well, and should stay?\nWhere were we lucky?",
        "actions": "Actions",
        "actions_hint": "A line each: `- [ ] what is done (@owner)`.\n"
        "Then  ciranda incident review {number} --take FILE  makes an item of each,\n"
        'and a commit whose message says "closes item/N" closes it.',
        "no_one": "nobody",
    },
    "pt": {
        "title": "Revisão do incidente {number}: {title}",
        "blameless": "As pessoas fizeram o que parecia certo com o que sabiam. Esta página pergunta o que o tornou possível, e o que o\n"
        "tornaria menos provável ou mais curto da próxima vez; não quem.",
        "summary": "Resumo",
        "summary_hint": "Em três frases: o que aconteceu, quem foi atingido e como, como terminou.",
        "facts": "Fatos",
        "place": "Onde",
        "severity": "Gravidade",
        "owner": "Responsável",
        "began": "Começou",
        "found": "Percebido",
        "over": "Terminou",
        "detect": "Tempo até perceber",
        "restore": "Tempo até restabelecer",
        "requests": "Pedidos que falharam",
        "of": "{failed} de {requests}",
        "unknown": "não se sabe",
        "still": "ainda não terminou",
        "timeline": "Linha do tempo",
        "nothing": "O registro não tem nada deste tempo.",
        "factors": "O que contribuiu",
        "factors_hint": "Condições, não culpados: o que nos dados, no modelo, no código, nos testes, nos alertas, no plano deixou passar?",
        "factors_rows": "O que o tornou possível?\nO que o tornou pior, ou mais longo?\nO que foi bem, e deve ficar?\nOnde tivemos sorte?",
        "actions": "Ações",
        "actions_hint": "Uma linha cada: `- [ ] o que se faz (@responsável)`.\n"
        "Depois  ciranda incident review {number} --take FILE  faz um item de cada,\n"
        'e um commit cuja mensagem diz "closes item/N" o fecha.',
        "no_one": "ninguém",
    },
}


def draft(
    one: Incident,
    moments: Sequence[Moment],
    planned: Sequence[Item],
    *,
    failed: Failed | None = None,
    language: str = "en",
) -> str:
    """What is known, and what people have to fill in."""
    words = WORDS[language]
    lines = [f"# {words['title'].format(number=one.number, title=_cell(one.title))}", "", words["blameless"]]
    lines += ["", f"## {words['summary']}", "", f"<!-- {words['summary_hint']} -->"]
    lines += ["", f"## {words['facts']}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {_cell(value)} |" for name, value in _facts(one, failed, words, language)]
    lines += ["", f"## {words['timeline']}", ""]
    lines += [f"| UTC | | |\n|---|---|---|\n{_rows(moments)}" if moments else words["nothing"]]
    lines += ["", f"## {words['factors']}", "", f"<!-- {words['factors_hint']} -->", ""]
    lines += [f"* **{row}**" for row in words["factors_rows"].splitlines()]
    hint = words["actions_hint"].format(number=one.number)
    lines += ["", f"## {words['actions']}", "", f"<!-- {hint} -->", ""]
    lines += [
        f"- [{'x' if item.state == 'closed' else ' '}] {_cell(item.title)} {f'({item.owner}) ' if item.owner else ''}{item.name}"
        for item in planned
    ]
    return "\n".join(lines).rstrip() + "\n"


def actions(text: str) -> list[Action]:
    """The open actions that a review names below the heading of its actions, but for those that are items already.

    Raises errors.Invalid for more than anybody will do.
    """
    headings = {words["actions"].lower() for words in WORDS.values()}
    found: list[Action] = []
    within = False
    for line in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).splitlines():
        if line.startswith("#"):
            within = line.lstrip("#").strip().lower() in headings
        elif within and (action := _ACTION.match(line)) and action[1] == " " and not _ITEM.search(line):
            title = action["title"]
            owner = _OWNER.search(title)
            title = _OWNER.sub("", title).strip()
            if title:
                found.append(Action(title, owner["owner"] if owner else ""))
    if len(found) > MOST:
        raise errors.Invalid(
            f"the review has {len(found)} actions, more than {MOST}", hint="keep those that will be done"
        )
    return found


def numbered(text: str, made: Mapping[str, str]) -> str:
    """The review with the names of the items that its actions became (title → `item/7`) at the ends of their lines."""
    lines = []
    for line in text.splitlines():
        action = _ACTION.match(line)
        title = _OWNER.sub("", action["title"]).strip() if action else ""
        lines.append(f"{line.rstrip()} {made[title]}" if title in made and not _ITEM.search(line) else line)
    return "\n".join(lines) + "\n"


def clock(us: int) -> str:
    """A moment as people write it, UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(us / 1e6))


def lasted(us: int) -> str:
    """`42 s`, `7 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    seconds = max(0, round(us / 1e6))
    for unit, next_unit, size, below in (("d", "h", 86_400, 3600), ("h", "min", 3600, 60), ("min", "s", 60, 1)):
        if seconds >= size:
            rest = seconds % size // below
            return f"{seconds // size} {unit}" + (f" {rest} {next_unit}" if rest else "")
    return f"{seconds} s"


def _facts(one: Incident, failed: Failed | None, words: Mapping[str, str], language: str) -> list[tuple[str, str]]:
    over = one.resolved_us
    requests = (
        words["unknown"] if failed is None else words["of"].format(failed=failed.failed, requests=failed.requests)
    )
    return [
        (words["place"], " ".join(part for part in (one.project, one.environment, one.service) if part)),
        (words["severity"], wording.SEVERITIES[language][one.severity]),
        (words["owner"], one.owner or words["no_one"]),
        (words["began"], f"{clock(one.started_us)} UTC"),
        (words["found"], f"{clock(one.opened_us)} UTC, {one.opened_by}"),
        (words["over"], words["still"] if over is None else f"{clock(over)} UTC, {one.resolved_by}"),
        (words["detect"], lasted(one.opened_us - one.started_us)),
        (words["restore"], words["still"] if over is None else lasted(over - one.started_us)),
        (words["requests"], requests),
    ]


def _rows(moments: Sequence[Moment]) -> str:
    return "\n".join(f"| {clock(one.at_us)} | {_cell(one.what)} | {_cell(one.actor)} |" for one in moments)


def _cell(text: str) -> str:
    """Text that is only text in Markdown: no column ends in it, no tag and no link begins."""
    return wording.plain(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("[", "\\[")
