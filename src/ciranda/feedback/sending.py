"""Sending one message on one channel: by HTTP through the one client, or by the mail server that the home names."""

import json
import smtplib
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


def send(post: Post, channel: Channel, told: Message) -> str:
    """Send it once; returns whom it could not reach among several, "" where it reached all.

    Raises Undelivered with a reason in which no secret stands.
    """
    try:
        if channel.kind == "email":
            server = post.smtp()
            return _mail(server, messages.email(told, server.sender, channel.email))
        names = tuple(name for name in (_secret(channel.url), channel.sign) if name)
        opened = post.secrets(told.project, names) if names else {}
        url = opened[_secret(channel.url)].decode().strip() if _secret(channel.url) else channel.url
        _http(post.reach(), channel, told, url, opened.get(channel.sign, b""))
        return ""
    except UnicodeDecodeError:
        raise Undelivered(f"the secret {_secret(channel.url)} is no address") from None
    except errors.CirandaError as error:
        hint = f" ({error.hint})" if error.hint and isinstance(error, errors.Refused) else ""
        raise Undelivered(f"{error.message}{hint}") from error


def _http(reach: outbound.Reach, channel: Channel, told: Message, url: str, key: bytes) -> None:
    document = {"slack": messages.slack, "teams": messages.teams}.get(channel.kind, messages.webhook)(told)
    body = messages.encoded(document)
    headers = {"Content-Type": "application/json", "Idempotency-Key": told.key, "webhook-id": told.key}
    if channel.sign:
        headers |= messages.signed(told.key, body, key, int(time.time()))
    reply = outbound.post(url, reach, body, headers)
    if 200 <= reply.status < 300:
        return
    said = _answer(reply.body, url)
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
