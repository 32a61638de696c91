"""The forms of a message: as Slack's own models take it, as a card, as signed JSON, as mail."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace

import pytest
from slack_sdk.models import blocks
from slack_sdk.webhook import WebhookClient

from ciranda.feedback import message as messages
from support.feedback import fact, message

LIVE = fact("revision.reached", "id", environment="prod", release="r42", cause="promotion")
BAD = fact(
    "alert.fired", rule="errors", service="delays", severity="page", text="5 % fail", runbook="https://x.example/run"
)
EVIL = fact("incident.opened", number=3, title="<!channel> <https://evil|x> & *b* [a](http://evil)", severity="page")
MANY = tuple(replace(LIVE, seq=n, text="&" * 700) for n in range(70))


def all_blocks(document: dict[str, object]) -> list[blocks.Block]:
    """Slack's own models of the blocks, each validated."""
    found = blocks.Block.parse_all(document["blocks"])  # type: ignore[arg-type]
    for one in found:
        one.validate_json()
    return found


@pytest.mark.parametrize("told", [(LIVE,), (BAD, LIVE), (EVIL,), MANY], ids=["one", "two", "evil", "many"])
def test_slack_takes_it(told: tuple[messages.Fact, ...]) -> None:
    document = messages.slack(message(*told, older=2, base="https://c.example"))
    found = all_blocks(document)
    assert [one.to_dict() for one in found] == document["blocks"]
    assert len(found) <= 50
    assert hasattr(WebhookClient, "send")
    for one in document["blocks"]:
        for text in [one.get("text"), *one.get("elements", [])]:
            assert text is None or 0 < len(text["text"]) <= 3000


def test_slack_mentions_nobody_and_links_nowhere_else() -> None:
    said = json.dumps(messages.slack(message(EVIL, base="https://c.example")))
    assert "<!channel>" not in said
    assert "<https://evil" not in said
    assert "&lt;!channel&gt;" in said
    assert "<https://c.example/flights/incidents/3|" in said


def test_a_card_of_teams_is_an_adaptive_card() -> None:
    document = messages.teams(message(BAD, base="https://c.example"))
    (attached,) = document["attachments"]
    assert (document["type"], attached["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    card = attached["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert [action["url"] for action in card["actions"]] == [
        "https://c.example/flights/environments/prod", "https://x.example/run",
    ]  # fmt: skip
    assert card["body"][0]["text"] == "Alert errors in prod of delays"
    assert card["body"][0]["color"] == "attention"


def test_a_card_is_small_enough_and_marks_nothing_up() -> None:
    assert len(messages.encoded(messages.teams(message(*MANY, base="https://c.example")))) < 28_000
    text = messages.teams(message(EVIL))["attachments"][0]["content"]["body"][0]["text"]
    assert "\\[a\\]\\(http://evil\\)" in text


def test_a_webhook_gets_every_fact() -> None:
    document = messages.webhook(message(*MANY, older=1))
    assert (document["format"], document["id"], len(document["facts"])) == ("ciranda.notice/1", "k1", 70)
    assert document["facts"][0] | {} == document["facts"][0]
    assert document["facts"][0]["said"] == "r42 is live in prod"


@pytest.mark.parametrize("secret", [b"plain text", b"whsec_" + base64.b64encode(b"key" * 8), b"whsec_not base64!"])
def test_a_signature_is_that_of_standard_webhooks(secret: bytes) -> None:
    body = messages.encoded(messages.webhook(message(LIVE)))
    headers = messages.signed("k1", body, secret, 1_700_000_000)
    key = base64.b64decode(secret[6:]) if secret.startswith(b"whsec_a") else secret
    wanted = base64.b64encode(hmac.new(key, b"k1.1700000000." + body, hashlib.sha256).digest()).decode()
    assert headers == {"webhook-timestamp": "1700000000", "webhook-signature": f"v1,{wanted}"}


def test_mail_has_a_subject_in_one_line_and_the_same_id_for_every_try() -> None:
    told = message(replace(BAD, text="über\n5 %"), base="https://c.example", language="pt")
    mails = [messages.email(told, "ciranda@example.org", ("ana@example.org", "bo@example.org")) for _ in range(2)]
    assert mails[0]["Message-ID"] == mails[1]["Message-ID"] == "<k1@example.org>"
    assert mails[0]["To"] == "ana@example.org, bo@example.org"
    assert mails[0]["Subject"] == "🔴 [flights] Alerta errors em prod de delays"
    text = mails[0].get_content()
    assert "über 5 %" in text
    assert "https://c.example/flights/environments/prod" in text
    assert b"\n\n" in mails[0].as_bytes()


def test_what_is_too_much_or_too_old_is_counted() -> None:
    assert messages.text(message(*MANY, older=1)).splitlines()[-2:] == ["and 50 more", "1 older fact was not told"]
    assert message(LIVE, BAD).title == "2 things in flights"
    assert message(LIVE, BAD).severity == "page"
    assert messages.text(message(test=True, language="pt")) == "Um teste do canal team: ele funciona\n"
