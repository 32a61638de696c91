"""The section `[notify.NAME]`: a channel on which people are told what happens, and what they are told there."""

import re

from ciranda.project import names
from ciranda.project.declaration import Channel
from ciranda.project.reading import Table

SEVERITIES = ("info", "ticket", "page")
LANGUAGES = ("en", "pt")
KINDS = ("slack", "teams", "webhook", "email")
# Events that people are told of, as docs/events.md has them.
EVENTS = (
    "alert.fired",
    "alert.resolved",
    "change.approved",
    "change.asked",
    "change.refused",
    "drift.found",
    "drift.over",
    "emergency.promoted",
    "emergency.reviewed",
    "environment.held",
    "environment.let-go",
    "incident.opened",
    "incident.resolved",
    "incident.reviewed",
    "infra.drifted",
    "infra.failed",
    "infra.settled",
    "item.closed",
    "job.failed",
    "job.late",
    "plan.approved",
    "plan.asked",
    "reaction.decided",
    "reaction.done",
    "reaction.refused",
    "revision.failed",
    "revision.reached",
    "rollout.failed",
    "rollout.waits",
)
SECRET = "secret:"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_MAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_MOST = 50  # addresses of one channel


def read(name: str, table: Table) -> Channel:
    """One channel; what is wrong is noted in the table."""
    if problem := names.problem(name):
        table.wrong("", f"has a wrong name: {problem}")
    email = table.texts("email")
    kind = table.text("kind", "email" if email else "webhook")
    if kind not in KINDS:
        table.wrong("kind", f'is "{kind}"', names.suggestion(kind, KINDS) or f"known: {', '.join(KINDS)}")
    url = table.text("url")
    _address(table, kind, url, email)
    sign = table.text("sign")
    if sign and not _secret(sign):
        table.wrong("sign", "is not the name of a secret", 'write sign = "secret:TEAM_KEY"')
    elif sign and kind != "webhook":
        table.wrong("sign", f"is for webhooks: {kind} does not look at it")
    severity, language = table.text("severity", "info"), table.text("language", "en")
    if severity not in SEVERITIES:
        table.wrong("severity", f'is "{severity}"', f"known: {', '.join(SEVERITIES)}")
    if language not in LANGUAGES:
        table.wrong("language", f'is "{language}"', f"known: {', '.join(LANGUAGES)}")
    events = table.texts("events")
    for each in events:
        if each not in EVENTS and each not in {known.partition(".")[0] for known in EVENTS}:
            hint = names.suggestion(each, EVENTS) or f"known: {', '.join(EVENTS)}"
            table.wrong("events", f'names "{each}", of which nobody is told', hint, value=each)
    return Channel(
        name=name,
        kind=kind,
        url=url,
        email=email,
        sign=sign.removeprefix(SECRET),
        severity=severity,
        owners=table.texts("owners"),
        events=events,
        language=language,
        line=table.line,
    )


def _address(table: Table, kind: str, url: str, email: tuple[str, ...]) -> None:
    if kind == "email":
        if not email:
            table.wrong("", "names nobody", 'write email = ["team@example.org"]')
        if url:
            table.wrong("url", "is not for e-mail", "take it out, or say kind")
        if len(email) > _MOST:
            table.wrong(
                "email", f"has {len(email)} addresses, more than {_MOST}", "write to a list of your mail server"
            )
        for each in email:
            if not _MAIL.match(each):
                table.wrong(
                    "email", f'names "{each}", which is not an address', "write it like team@example.org", value=each
                )
        return
    if email:
        table.wrong("email", f"is not for {kind}", "take it out, or say kind")
    if not url:
        table.wrong("", "has no url", 'write url = "secret:TEAM_URL", and set it: ciranda secret set TEAM_URL --notify')
    elif url.startswith(SECRET):
        if not _secret(url):
            table.wrong("url", f'names "{url}", which cannot be the name of a secret', "write it like secret:TEAM_URL")
    elif kind != "webhook":
        hint = 'whoever knows it can write there: write url = "secret:TEAM_URL"'
        table.wrong("url", "is a secret, and this file is read by many", hint)
    elif not re.match(r"https?://[^/\s@]+(/\S*)?\Z", url):
        table.wrong("url", "is not an address of http or https", 'write url = "https://…" or url = "secret:NAME"')


def _secret(text: str) -> bool:
    return text.startswith(SECRET) and bool(_NAME.match(text.removeprefix(SECRET)))
