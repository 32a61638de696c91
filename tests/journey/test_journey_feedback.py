"""What people get of a release that does not start: told on a channel, an incident, its review, and the commit that closes its item."""

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from support import server
from support.feedback import Receiver, receiver
from support.project import CIRANDA
from support.server import Server, eventually

MORE = """
    [notify.hook]
    url = "{url}"
    sign = "secret:HOOK_KEY"
    severity = "ticket"

    [notify.equipe]
    kind = "slack"
    url = "secret:TEAM_URL"
    events = ["incident"]
    language = "pt"
"""


@pytest.fixture
def there() -> Iterator[Receiver]:
    with receiver() as found:
        yield found


@pytest.fixture
def up(tmp_path: Path, there: Receiver, confinement: str) -> Iterator[Server]:
    with server.up(tmp_path) as started:
        (started.home / "settings.toml").write_text('[outbound]\nallow = ["127.0.0.1"]\n')
        yield started


def facts(there: Receiver, channel: str) -> list[dict[str, Any]]:
    return [fact for came in there.came if came["body"].get("channel") == channel for fact in came["body"]["facts"]]


def test_what_goes_wrong_is_told_learned_and_closed(up: Server, there: Receiver, tmp_path: Path) -> None:
    toy = up.project("toy", more=server.MORE + MORE.format(url=there.url.replace("verysecret", "hook")))
    assert "no project toy" in toy.ciranda("delivery", "--project", "toy").fails().err
    for name, value in (("HOOK_KEY", "s3cret"), ("TEAM_URL", there.url)):
        (tmp_path / "value").write_text(value)
        toy.run("sh", "-c", f"{CIRANDA} secret set {name} --notify < {tmp_path}/value").succeeds()
    up.push(toy).succeeds()
    assert "nothing was told yet" in toy.ciranda("notify", "list").succeeds().out
    assert "a test was sent" in toy.ciranda("notify", "test", "hook").succeeds().out

    toy.write({"service.py": dedent(server.SERVICE) + 'raise RuntimeError("no such airport")\n'})
    toy.commit("A service that does not start")
    up.push(toy)
    eventually(lambda: facts(there, "hook"), "the channel is told")
    (failed,) = facts(there, "hook")
    assert failed["event"] == "revision.failed"
    assert "no such airport" in failed["text"]
    assert there.came[-1]["headers"]["webhook-signature"].startswith("v1,")

    toy.ciranda("incident", "open", "nobody gets an answer", "-e", "prod", "--since", "10m").succeeds()
    toy.ciranda("incident", "note", "1", "an airport without a name").succeeds()
    eventually(lambda: any("text" in came["body"] for came in there.came), "Slack is told")
    said = next(came["body"] for came in there.came if "text" in came["body"])
    assert said["text"] == "Incidente 1 em prod: nobody gets an answer"
    toy.ciranda("incident", "resolve", "1", "went back").succeeds()
    shown = toy.ciranda("incident", "show", "1").succeeds().out
    assert shown.index("r1 is live") < shown.index("an airport without a name") < shown.index("incident 1 is over")
    toy.ciranda("incident", "review", "1").succeeds()
    draft = (toy.root / "incident-1.md").read_text()
    toy.write({"incident-1.md": draft + "- [ ] start it in a test (@data)\n"})
    assert "item/1" in toy.ciranda("incident", "review", "1", "--take", "incident-1.md").succeeds().out
    assert "is there already" in toy.ciranda("incident", "review", "1").fails().err

    toy.write({"service.py": server.SERVICE})
    toy.commit("It starts, and a test says so: closes item/1")
    head = toy.git("rev-parse", "HEAD").out[:7]
    up.push(toy).succeeds()
    eventually(
        lambda: json.loads(toy.ciranda("item", "list", "--json").out)["items"] == [], "the commit closes the item"
    )
    assert head in toy.ciranda("item", "list", "--all").succeeds().out
    told = json.loads(toy.ciranda("delivery", "--json").succeeds().out)["parts"][0]["now"]
    assert (told["deployments"], told["restore"]["count"]) == (2, 1)
    assert "no data" in toy.ciranda("delivery").succeeds().out
    logs = "".join(path.read_text(errors="replace") for path in (up.home / "logs").rglob("*.log"))
    assert "verysecret" not in logs
