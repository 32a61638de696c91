"""A release goes by plan: saved, approved, refused when stale, applied; and what is destroyed is gone until somebody promotes."""

import json
import re
from collections.abc import Iterator

import pytest

from support import server
from support.server import Server

GUARDED = server.MORE.replace('after = "test"', 'after = "test"\napprovals = 1')


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, confinement: str) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("server")) as started:
        yield started


def test_a_plan_is_approved_applied_refused_when_stale_and_undone(up: Server) -> None:
    toy = up.project("planned", more=GUARDED)
    client = toy.start("git", "push", "ciranda", "main")
    assert client.stdout is not None
    said = ""
    while (asked := re.search(r"waits for 1 approval: ciranda approve (b3:\w+)", said)) is None:
        said += (line := client.stdout.readline())
        assert line, said
    assert asked[1] in toy.ciranda("status").succeeds().out
    told = toy.ciranda("plan", "-e", "prod").fails(2).out
    assert f"Plan {asked[1]}…:" in told
    assert "needs 1 approval, has 0" in told
    assert f"ciranda approve {asked[1]}" in toy.ciranda("promote", "r1", "-e", "prod").fails().err
    toy.ciranda("approve", asked[1]).succeeds()
    rest, _ = client.communicate(timeout=60)
    assert client.returncode == 0, said + rest
    assert up.ask("/planned/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"
    assert "nothing to do" in toy.ciranda("plan", "-e", "prod").succeeds().out

    toy.edit("pipeline.py", "2 * int", "3 * int")
    toy.commit("triple")
    up.push(toy, "-o", "detach").succeeds()
    waits = lambda: "r2 waits for 1 approval" in toy.ciranda("status").succeeds().out  # noqa: E731
    server.eventually(waits, "r2 waits for people")
    toy.ciranda("plan", "-e", "prod", "--out", "prod.plan").fails(2)
    toy.ciranda("scale", "mean", "2", "-e", "prod").succeeds()
    assert "is stale: prod is at #2 now" in toy.ciranda("apply", "prod.plan").fails().err
    toy.ciranda("approve", "r2", "-e", "prod").succeeds()
    toy.ciranda("wait", "r2", "-e", "prod", "--timeout", "60").succeeds()
    changed = json.loads(toy.ciranda("diff", "prod#1", "prod", "--json").succeeds().out)
    assert {(part["kind"], part["name"]) for part in changed["parts"] if part["sign"] == "change"} == {
        ("dataset", "doubled"), ("model", "average"), ("service", "mean"),
    }  # fmt: skip

    assert "nobody can be asked" in toy.ciranda("destroy", "-e", "prod").fails(64).err
    refused = toy.ciranda("destroy", "-e", "prod", "--yes").fails().err
    approval = re.search(r"ciranda approve (b3:\w+)", refused)
    assert approval is not None
    toy.ciranda("approve", approval[1]).succeeds()
    assert "all of it is gone" in toy.ciranda("destroy", "-e", "prod", "--yes").succeeds().out
    server.eventually(lambda: not any("prod-" in one for one in instances(up)), "the instances are gone")
    assert up.ask("/planned/prod/mean/", {"x": 1}).status == 404
    assert "prod  destroyed" in toy.ciranda("status").succeeds().out
    assert "nothing runs in prod" in toy.ciranda("destroy", "-e", "prod").succeeds().out
    toy.ciranda("approve", "r1", "-e", "prod").succeeds()
    toy.ciranda("promote", "r1", "-e", "prod").succeeds()
    assert up.ask("/planned/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"


def instances(up: Server) -> list[str]:
    """The ids of the keeper's processes that live."""
    told = json.loads((up.home / "state" / "children.json").read_text())
    return [child["id"] for child in told["children"] if child["exit"] is None]
