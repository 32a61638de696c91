"""Two people: what one pushed the other lets in; a freeze, and the one hatch past it; who is taken out is out at once."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode, urlsplit

import pytest

from ciranda.access import sessions
from support import server
from support.project import Project, Ran
from support.server import Server
from support.web import request

EYES = server.MORE.replace('after = "test"', 'after = "test"\napprovals = 1\nfour_eyes = true')


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, confinement: str) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("server")) as started:
        yield started


def test_two_people_a_freeze_and_an_emergency(up: Server) -> None:
    toy = up.project("shared", more=EYES)
    for act in (
        ("add", "bea", "developer", "--project", "shared"),
        ("grant", "bea", "operator", "--project", "shared", "-e", "prod"),
    ):
        toy.ciranda("user", *act).succeeds()
    bea = toy.ciranda("token", "create", "--user", "bea", "--days", "1").succeeds().out.splitlines()[0]
    as_bea = {"CIRANDA_TOKEN": bea}

    assert "and this needs admin" in toy.ciranda("user", "grant", "bea", "admin", **as_bea).fails().err
    assert "last admin of everything" in toy.ciranda("user", "remove", "admin").fails().err
    approval = pushed(up, toy, bea)
    assert "waits for 1 approval of somebody else" in toy.ciranda("status").succeeds().out
    toy.ciranda("approve", approval, **as_bea).succeeds()  # it is kept, and does not count
    refused = toy.ciranda("promote", "r1", "-e", "prod", **as_bea).fails().err
    assert "who pushed the change or applies the plan does not count" in refused
    toy.ciranda("approve", approval).succeeds()
    toy.ciranda("wait", "r1", "-e", "prod", "--timeout", "60").succeeds()

    today = datetime.now(UTC).date()
    window = f"{today - timedelta(1)} - {today + timedelta(30)}"
    toy.edit("ciranda.toml", "four_eyes = true", f'four_eyes = true\nfreeze = ["{window}"]')
    toy.edit("pipeline.py", "2 * int", "3 * int")
    toy.commit("triple, and nothing for a month")
    up.push(toy, "-o", "detach").succeeds()
    server.eventually(lambda: "r2" in toy.ciranda("status", "-e", "test").succeeds().out, "r2 is in test")
    toy.ciranda("wait", "r2", "-e", "test", "--timeout", "60").succeeds()
    assert "prod is frozen until" in toy.ciranda("promote", "r2", "-e", "prod").fails().err
    toy.ciranda("scale", "mean", "2", "-e", "prod").succeeds()  # what is no release goes on
    told = toy.ciranda("promote", "r2", "-e", "prod", "--emergency", "scores are far too low").succeeds().out
    assert "passed: prod is frozen until" in told
    review = re.search(r"ciranda approve (emergency/prod#\d+)", told)
    assert review is not None
    assert "was promoted by admin in an emergency (scores are far too low)" in toy.ciranda("status").succeeds().out
    assert "frozen until" in toy.ciranda("status", "-e", "prod").succeeds().out
    assert "somebody else reviews it" in toy.ciranda("approve", review[1]).fails().err
    toy.ciranda("approve", review[1], "--note", "it was right", **as_bea).succeeds()
    assert "emergency" not in toy.ciranda("status").succeeds().out

    hold_on_the_page(up, bea)
    assert "held by bea: the fair is on" in toy.ciranda("status").succeeds().out

    (token,) = [
        one["id"]
        for one in json.loads(toy.ciranda("token", "list", "--json").succeeds().out)["tokens"]
        if one["user"] == "bea"
    ]
    toy.ciranda("token", "revoke", token).succeeds()
    assert "nobody here has this token" in toy.ciranda("user", "list", **as_bea).fails().err
    assert "403" in push_as(up, toy, bea).err or "Authentication failed" in push_as(up, toy, bea).err
    audit = toy.ciranda("audit", "--most", "1000").succeeds().out
    for fact in (
        "user.added",
        "role.granted",
        "token.created",
        "plan.approved",
        "emergency.promoted",
        "emergency.reviewed",
        "environment.held",
    ):
        assert fact in audit, fact
    assert "facts are as they were written" in audit


def push_as(up: Server, toy: Project, token: str) -> Ran:
    """A push of whoever has this token."""
    there = urlsplit(up.said["url"]).netloc
    return toy.git(
        "-c", "credential.helper=", "push", "-o", "detach", f"http://who:{token}@{there}/git/shared.git", "main"
    )


def pushed(up: Server, toy: Project, token: str) -> str:
    """What bea pushed, and the plan that it waits for."""
    push_as(up, toy, token).succeeds()
    found: list[str] = []

    def asked() -> bool:
        found[:] = re.findall(r"ciranda approve (b3:\w+)", toy.ciranda("status").succeeds().out)
        return bool(found)

    server.eventually(asked, "r1 waits for somebody else")
    return found[0]


def hold_on_the_page(up: Server, token: str) -> None:
    """As a browser without script does it: a link that is good once, a page that asks, a form that is sealed."""
    port = int(up.said["url"].rpartition(":")[2])
    code = request(port, "POST", "/api/v1/invitations", token=token).json["code"]
    cookie = request(port, "GET", f"/login?code={code}").headers["set-cookie"].partition(";")[0]
    path = "/shared/environments/prod/hold"
    assert request(port, "GET", path, Cookie=cookie).status == 200
    form = {"seal": sessions.seal(cookie.partition("=")[2]), "reason": "the fair is on"}
    done = request(
        port,
        "POST",
        path,
        body=urlencode(form).encode(),
        Cookie=cookie,
        Content_Type="application/x-www-form-urlencoded",
    )
    assert done.status == 303
    elsewhere = request(port, "GET", "/shared/environments/test/hold", Cookie=cookie)
    assert elsewhere.status == 403
