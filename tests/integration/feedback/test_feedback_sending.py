"""Messages sent for real: over HTTP to loopback, and to a mail server that speaks STARTTLS and asks who comes."""

import datetime
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ciranda.access import settings
from ciranda.feedback import message as messages
from ciranda.feedback import sending
from ciranda.kernel import errors, outbound
from ciranda.project.declaration import Channel
from support.feedback import Receiver, fact, message, receiver

LIVE = fact("revision.reached", "id", environment="prod", release="r42", cause="promotion")
LOOPBACK = outbound.Reach(allowed=("127.0.0.1",))


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


def post(
    secrets: Mapping[str, bytes] | None = None, reach: outbound.Reach = LOOPBACK, smtp: Any = None
) -> sending.Post:
    def opened(project: str, names: tuple[str, ...]) -> Mapping[str, bytes]:
        assert project == "flights"
        known = secrets or {}
        for name in names:
            if name not in known:
                raise errors.Refused(f"the secret {name} is not set", hint="set it")
        return {name: known[name] for name in names}

    return sending.Post(lambda: reach, opened, lambda: smtp)


def failing(made: sending.Post, channel: Channel, told: messages.Message | None = None) -> sending.Undelivered:
    with pytest.raises(sending.Undelivered) as caught:
        sending.send(made, channel, told or message(LIVE))
    assert "verysecret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", ["slack", "teams", "webhook"])
def test_each_kind_arrives_in_its_form(there: Receiver, kind: str) -> None:
    sending.send(post({"TEAM_URL": f"{there.url}\n".encode()}), Channel("team", kind, "secret:TEAM_URL"), message(LIVE))
    (came,) = there.came
    form = {"slack": messages.slack, "teams": messages.teams, "webhook": messages.webhook}[kind]
    assert (came["path"], came["body"]) == ("/hooks/verysecret", form(message(LIVE)))
    assert came["headers"]["idempotency-key"] == came["headers"]["webhook-id"] == "k1"
    assert "webhook-signature" not in came["headers"]


def test_a_signed_webhook_can_be_verified(there: Receiver) -> None:
    sending.send(post({"KEY": b"s3cret"}), Channel("hook", "webhook", there.url, sign="KEY"), message(LIVE))
    headers = there.came[0]["headers"]
    again = messages.signed("k1", there.came[0]["raw"], b"s3cret", int(headers["webhook-timestamp"]))
    assert headers["webhook-signature"] == again["webhook-signature"]


@pytest.mark.parametrize(("status", "final"), [
    (500, False), (503, False), (429, False), (404, False), (410, False), (403, False), (400, True), (413, True), (301, False),
])  # fmt: skip
def test_what_is_not_taken_is_told_without_the_address(there: Receiver, status: int, final: bool) -> None:
    there.answers.append((status, {"retry-after": "17", "location": "/elsewhere"}, f"no {there.url}".encode()))
    problem = failing(post({"U": there.url.encode()}), Channel("team", "slack", "secret:U"))
    assert str(problem).startswith(f"it answered {status}: no …")
    assert (problem.final, problem.after) == (final, 17.0)
    assert len(there.came) == 1


def test_a_private_address_is_refused_unless_it_is_allowed(there: Receiver) -> None:
    problem = failing(post(reach=outbound.Reach()), Channel("hook", "webhook", there.url))
    assert "not a public address" in str(problem)
    assert "settings.toml" in str(problem)
    assert there.came == []


def test_nobody_there_and_no_address_are_told() -> None:
    with receiver() as gone:
        url = gone.url
    assert "does not answer" in str(failing(post(), Channel("hook", "webhook", url)))
    assert "the secret U is not set" in str(failing(post(), Channel("hook", "slack", "secret:U")))
    assert "not an address" in str(failing(post({"U": b"verysecret"}), Channel("hook", "slack", "secret:U")))
    assert "is no address" in str(failing(post({"U": b"\xff"}), Channel("hook", "slack", "secret:U")))


@dataclass
class Mailbox:
    """What a mail server took."""

    came: list[Envelope] = field(default_factory=list)
    refuse: set[str] = field(default_factory=set)

    async def handle_RCPT(
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return "550 nobody is called so"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:
        self.came.append(envelope)
        return "250 OK"


class AnyPort(Controller):
    """A controller that may be given port 0: it looks at where it listens before it asks itself whether it does."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@dataclass
class Mail:
    """A mail server, and how it is reached."""

    box: Mailbox
    smtp: settings.Smtp


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key, and a certificate of 127.0.0.1 that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    data = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(data)
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mail]:
    cert, key = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    (tmp_path / "password").write_text("pass word")
    (tmp_path / "password").chmod(0o600)

    def who(server: SMTP, session: Any, envelope: Envelope, mechanism: str, told: Any) -> AuthResult:
        known = isinstance(told, LoginPassword) and (told.login, told.password) == (b"ciranda", b"pass word")
        return AuthResult(success=known, handled=known)

    box = Mailbox()
    controller = AnyPort(
        box, hostname="127.0.0.1", port=0, tls_context=context, require_starttls=True, auth_required=True,
        authenticator=who, auth_require_tls=True,
    )  # fmt: skip
    controller.start()
    yield Mail(
        box,
        settings.Smtp("localhost", controller.port, "starttls", "c@example.org", "ciranda", str(tmp_path / "password")),
    )
    controller.stop()


MANAGERS = Channel("managers", "email", email=("ana@example.org", "bo@example.org"), language="pt")


def test_mail_goes_out_encrypted_and_signed_in(mail: Mail) -> None:
    sending.send(post(smtp=mail.smtp), MANAGERS, message(LIVE, language="pt"))
    (came,) = mail.box.came
    assert isinstance(came.content, bytes)
    read = message_from_bytes(came.content)
    assert (came.mail_from, came.rcpt_tos) == ("c@example.org", ["ana@example.org", "bo@example.org"])
    assert read["Message-ID"] == "<k1@example.org>"
    assert "r42 está no ar em prod" in read.get_payload(decode=True).decode()  # type: ignore[union-attr]


def test_a_server_that_is_not_who_it_says_gets_nothing(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "does not answer" in str(failing(post(smtp=mail.smtp), MANAGERS))
    assert mail.box.came == []


def test_whom_the_server_does_not_know_does_not_keep_it_from_the_others(mail: Mail) -> None:
    mail.box.refuse.add("bo@example.org")
    assert sending.send(post(smtp=mail.smtp), MANAGERS, message(LIVE)) == "the mail server refuses bo@example.org"
    assert len(mail.box.came) == 1
    mail.box.refuse.add("ana@example.org")
    assert "refuses everybody" in str(failing(post(smtp=mail.smtp), MANAGERS))


def test_a_wrong_password_is_told_without_it(mail: Mail, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("verysecret")
    assert "the mail server says 535" in str(failing(post(smtp=mail.smtp), MANAGERS))
