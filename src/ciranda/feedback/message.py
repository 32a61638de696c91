"""A message: facts that are told at once on one channel, and its form for each kind of channel. Pure."""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from ciranda.feedback import wording
from ciranda.feedback.facts import Fact
from ciranda.project.notify import SEVERITIES

FORMAT = "ciranda.notice/1"
MOST = 20  # facts with a line of their own; a webhook gets them all
_SIGNS = {"info": "🔵", "ticket": "🟡", "page": "🔴"}
_STYLES = {"info": "accent", "ticket": "warning", "page": "attention"}  # of Adaptive Cards


@dataclass(frozen=True, slots=True)
class Message:
    """What goes out. `key` is the same for every try; `older`: facts that were too old; `base`: the page's address."""

    key: str
    project: str
    channel: str
    language: str
    told: tuple[Fact, ...]
    older: int = 0
    base: str = ""
    test: bool = False

    @property
    def severity(self) -> str:
        """Of the worst."""
        return max((fact.severity for fact in self.told), key=SEVERITIES.index, default="info")

    @property
    def title(self) -> str:
        """What it says in one line."""
        if self.test:
            return wording.word(self.language, "test", channel=self.channel)
        if len(self.told) == 1:
            return wording.sentence(self.told[0], self.language)
        return wording.word(self.language, "many", count=len(self.told), project=self.project)

    @property
    def notes(self) -> list[str]:
        """What is said below: how many more there are, how many were too old."""
        more = len(self.told) - MOST
        found = [wording.word(self.language, "more", count=more)] if more > 0 else []
        name = "one" if self.older == 1 else "older"
        return found + ([wording.word(self.language, name, count=self.older)] if self.older else [])


def text(message: Message) -> str:
    """As plain text: a line a fact, what the ledger said of it, and where more is told."""
    lines = []
    for fact in message.told[:MOST]:
        lines.append(f"{_SIGNS[fact.severity]} {wording.sentence(fact, message.language)}")
        lines += [
            f"   {part}" for part in (_said(fact), _about(message, fact), fact.runbook, _link(message, fact)) if part
        ]
    return "\n".join([*(lines or [message.title]), *message.notes]) + "\n"


def slack(message: Message) -> dict[str, Any]:
    """Block Kit, as an incoming webhook of Slack's takes it (docs.slack.dev/reference/block-kit)."""
    blocks: list[dict[str, Any]] = []
    for fact in message.told[:MOST]:
        sentence = _escaped(wording.sentence(fact, message.language))
        link = _link(message, fact)
        head = f"*<{link}|{sentence}>*" if link else f"*{sentence}*"
        said = f"\n{_escaped(_said(fact))}" if _said(fact) else ""
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": f"{_SIGNS[fact.severity]} {head}{said}"}})
        below = [_escaped(_about(message, fact))]
        below += [f"<{fact.runbook}|{wording.word(message.language, 'runbook')}>"] if _safe(fact.runbook) else []
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": part} for part in below]})
    if not message.told:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": _escaped(message.title)}})
    if message.notes:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": _escaped(". ".join(message.notes))}]})
    return {"text": _escaped(message.title), "blocks": blocks}


def teams(message: Message) -> dict[str, Any]:
    """An Adaptive Card 1.4 as a workflow of Microsoft Teams takes it (learn.microsoft.com/power-automate, adaptivecards.io)."""
    body: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": _unmarked(message.title), "weight": "bolder", "size": "medium", "wrap": True,
         "color": _STYLES[message.severity]},
    ]  # fmt: skip
    actions: list[dict[str, Any]] = []
    for fact in message.told[:MOST]:
        items: list[dict[str, Any]] = []
        if len(message.told) > 1:
            line = f"{_SIGNS[fact.severity]} {wording.sentence(fact, message.language)}"
            items.append({"type": "TextBlock", "text": _unmarked(line), "wrap": True})
        if _said(fact):
            items.append({"type": "TextBlock", "text": _unmarked(_said(fact)), "wrap": True, "isSubtle": True})
        items.append(
            {
                "type": "TextBlock",
                "text": _unmarked(_about(message, fact)),
                "wrap": True,
                "isSubtle": True,
                "size": "small",
            }
        )
        body.append({"type": "Container", "items": items, "separator": len(message.told) > 1})
        for url, name in ((_link(message, fact), "open"), (fact.runbook, "runbook")):
            if _safe(url) and len(message.told) == 1:
                actions.append({"type": "Action.OpenUrl", "title": wording.word(message.language, name), "url": url})
    body += [{"type": "TextBlock", "text": note, "isSubtle": True, "wrap": True} for note in message.notes]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "lang": message.language, "fallbackText": message.title, "body": body,
    }  # fmt: skip
    if actions:
        card["actions"] = actions
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def webhook(message: Message) -> dict[str, Any]:
    """JSON for a program: every fact with what the ledger says of it."""
    return {
        "format": FORMAT,
        "id": message.key,
        "project": message.project,
        "channel": message.channel,
        "test": message.test,
        "severity": message.severity,
        "title": message.title,
        "older": message.older,
        "facts": [
            {
                "seq": fact.seq, "at_us": fact.at_us, "event": fact.event, "severity": fact.severity,
                "environment": fact.environment, "service": fact.service, "owner": fact.owner, "actor": fact.actor,
                "said": wording.sentence(fact, message.language), "text": fact.text, "values": dict(fact.values),
                "url": _link(message, fact), "runbook": fact.runbook,
            }
            for fact in message.told
        ],
    }  # fmt: skip


def email(message: Message, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """A plain text message whose Message-ID is the same for every try, so that mail servers keep one of two."""
    made = EmailMessage()
    made["From"] = Address("Ciranda", addr_spec=sender)
    made["To"] = [Address(addr_spec=each) for each in to]
    made["Subject"] = f"{'' if message.test else _SIGNS[message.severity] + ' '}[{message.project}] {message.title}"
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Message-ID"] = f"<{message.key}@{sender.rpartition('@')[2]}>"
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday answers it
    made["Content-Language"] = message.language
    made.set_content(text(message))
    return made


def encoded(document: Mapping[str, Any]) -> bytes:
    """JSON, as it is sent and signed."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def signed(key: str, body: bytes, secret: bytes, at: int) -> dict[str, str]:
    """The headers of Standard Webhooks (standardwebhooks.com, v1): HMAC-SHA256 over "id.time.body", `at` in seconds UTC.

    A secret that begins with `whsec_` is base64, as that standard has it; any other is taken as its bytes.
    """
    if secret.startswith(b"whsec_"):
        with suppress(binascii.Error):  # then these bytes are the key
            secret = base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    mark = hmac.new(secret, f"{key}.{at}.".encode() + body, hashlib.sha256).digest()
    return {"webhook-timestamp": str(at), "webhook-signature": f"v1,{base64.b64encode(mark).decode()}"}


def _said(fact: Fact) -> str:
    return wording.plain(fact.text)


def _about(message: Message, fact: Fact) -> str:
    """Where it is, whose it is, who did it, when."""
    at = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(fact.at_us / 1e6))
    where = " ".join(part for part in (fact.project, fact.environment, fact.service) if part)
    by = "" if fact.actor in ("", "ciranda") else f"{wording.word(message.language, 'by')} {fact.actor}"
    severity = wording.SEVERITIES[message.language][fact.severity]
    return wording.plain(" · ".join(part for part in (where, severity, fact.owner, by, at) if part))


def _link(message: Message, fact: Fact) -> str:
    return f"{message.base}{fact.path}" if message.base and fact.path else ""


def _safe(url: str) -> bool:
    return url.startswith(("https://", "http://")) and not set(url) & set(" <>|\n\r")


def _escaped(text: str) -> str:
    """Slack's three (docs.slack.dev/messaging/formatting-message-text): so nobody is mentioned, and no link is made."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _unmarked(text: str) -> str:
    """Adaptive Cards take a part of Markdown: what would be a link, a list or emphasis is text."""
    return "".join(f"\\{character}" if character in "\\[]()*_`#~" else character for character in text)
