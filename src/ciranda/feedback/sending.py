"""Sending one message on one channel: by HTTP through the one client, or by the mail server that the home names."""

import json
import smtplib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage

from ciranda.access import settings
from ciranda.feedback import message as messages
from ciranda.feedback.message import Message
from ciranda.kernel import errors, outbound
from ciranda.project.declaration import Channel
from ciranda.project.notify import SECRET

TIMEOUT = 10.0  # seconds for each answer of a mail server
_AGAIN = (408, 425, 429)  # of 4xx, those that say "later"
_AWAY = (401, 403, 404, 410)  # those that say "not with this address": another may be set


class Undelivered(Exception):
    """It did not come through. `final`: this very message never will; `after`: seconds that the other side asks for."""

    def __init__(self, problem: str, *, final: bool = False, after: float | None = None) -> None:
        super().__init__(problem)
        self.problem, self.final, self.after = problem, final, after


@dataclass(frozen=True, slots=True)
class Post:
    """How messages leave: what may be reached, the secrets of a project by name, the mail server."""

    reach: Callable[[], outbound.Reach]
    secrets: Callable[[str, tuple[str, ...]], Mapping[str, bytes]]  # project, names
    smtp: Callable[[], settings.Smtp]


@dataclass(frozen=True, slots=True)
class Way:
    """How one channel is reached now: an address and the key that it is signed with, or a mail server."""

    channel: Channel
    reach: outbound.Reach = field(default_factory=outbound.Reach)
    url: str = field(default="", repr=False)
    key: bytes = field(default=b"", repr=False)
    smtp: settings.Smtp | None = None


def send(post: Post, channel: Channel, told: Message) -> str:
    """Send it once (`way`, then `deliver`)."""
    return deliver(way(post, channel, told.project), told)


def way(post: Post, channel: Channel, project: str) -> Way:
    """Look up how a channel is reached. Raises Undelivered with a reason in which no secret stands."""
    try:
        if channel.kind == "email":
            return Way(channel, smtp=post.smtp())
        names = tuple(name for name in (_secret(channel.url), channel.sign) if name)
        opened = post.secrets(project, names) if names else {}
        url = opened[_secret(channel.url)].decode().strip() if _secret(channel.url) else channel.url
        return Way(channel, post.reach(), url, opened.get(channel.sign, b""))
    except UnicodeDecodeError:
        raise Undelivered(f"the secret {_secret(channel.url)} is no address") from None
    except errors.CirandaError as error:
        raise _undelivered(error) from error


def deliver(found: Way, told: Message) -> str:
    """Send it; returns whom it could not reach among several, "" where it reached all.

    Raises Undelivered with a reason in which no secret stands.
    """
    try:
        if found.smtp is not None:
            return _mail(found.smtp, messages.email(told, found.smtp.sender, found.channel.email))
        _http(found, told)
        return ""
    except errors.CirandaError as error:
        raise _undelivered(error) from error


def _undelivered(error: errors.CirandaError) -> Undelivered:
    hint = f" ({error.hint})" if error.hint and isinstance(error, errors.Refused) else ""
    return Undelivered(f"{error.message}{hint}")


def _http(found: Way, told: Message) -> None:
    kind = found.channel.kind
    document = {"slack": messages.slack, "teams": messages.teams}.get(kind, messages.webhook)(told)
    body = messages.encoded(document)
    headers = {"Content-Type": "application/json", "Idempotency-Key": told.key, "webhook-id": told.key}
    if found.channel.sign:
        headers |= messages.signed(told.key, body, found.key, int(time.time()))
    reply = outbound.post(found.url, found.reach, body, headers)
    if 200 <= reply.status < 300:
        return
    said = _answer(reply.body, found.url)
    final = 400 <= reply.status < 500 and reply.status not in (*_AGAIN, *_AWAY)
    after = reply.headers.get("retry-after", "")
    raise Undelivered(
        f"it answered {reply.status}{f': {said}' if said else ''}",
        final=final,
        after=float(after) if after.isascii() and after.isdigit() and len(after) < 9 else None,
    )


def _mail(server: settings.Smtp, mail: EmailMessage) -> str:
    context = ssl.create_default_context()
    try:
        with _connected(server, context) as connection:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user:
                connection.login(server.user, server.password())
            refused = connection.send_message(mail)
            # the others have it: trying again would tell them twice
            return f"the mail server refuses {', '.join(sorted(refused))}" if refused else ""
    except smtplib.SMTPRecipientsRefused as error:
        codes = {code for code, _ in error.recipients.values()}
        raise Undelivered("the mail server refuses everybody", final=all(code >= 550 for code in codes)) from error
    except smtplib.SMTPResponseException as error:
        said = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        raise Undelivered(f"the mail server says {error.smtp_code} {_short(said)}") from error
    except (smtplib.SMTPException, OSError) as error:
        raise Undelivered(f"the mail server does not answer: {_short(str(error)) or type(error).__name__}") from error


def _connected(server: settings.Smtp, context: ssl.SSLContext) -> smtplib.SMTP:
    if server.security == "tls":
        return smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT, context=context)
    return smtplib.SMTP(server.host, server.port, timeout=TIMEOUT)


def _secret(text: str) -> str:
    return text.removeprefix(SECRET) if text.startswith(SECRET) else ""


def _answer(body: bytes, url: str) -> str:
    """What the other side said, short; the address never, should it come back."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
        text = str(found.get("error") or found.get("message") or text) if isinstance(found, dict) else text
    except ValueError:
        pass
    path = url.partition("://")[2].partition("/")[2]
    for hidden in (url, path):
        text = text.replace(hidden, "…") if hidden else text
    return _short(text)


def _short(text: str) -> str:
    return " ".join(text.split())[:160]
