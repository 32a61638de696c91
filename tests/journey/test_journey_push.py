"""From `git push` to production and back, with the installed command line, the real git and real services."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from support import project as projects
from support import server
from support.server import Server

CONFINED_AND_NOT = True


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, confinement: str) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("server")) as started:
        yield started


def test_a_push_goes_to_production_and_says_so_as_it_happens(up: Server) -> None:
    toy = up.project("first")
    pushed = up.push(toy).succeeds()
    lines = [line.removeprefix("remote: ").strip() for line in pushed.err.splitlines()]
    names = [line.split()[0] for line in lines if line.split()]
    order = [names.index(name) for name in ("first", "code", "doubled", "average", "release", "test", "prod", "live")]
    assert order == sorted(order), pushed.err
    answer = up.ask("/first/prod/mean/", {"x": 1})
    assert (answer.status, answer.json, answer.headers["x-ciranda-release"]) == (200, 5.0, "r1")
    _one_prediction_is_followed_back(up, toy, answer.headers["x-request-id"])
    assert up.ask("/first/prod/mean/", [{"x": 1}, {"x": 2}]).json == [5.0, 6.0]
    wrong = up.ask("/first/prod/mean/", [{"x": 1}, {"y": 2}])
    assert (wrong.status, wrong.json["row"], wrong.json["field"]) == (422, 1, "x")
    assert up.ask("/first/prod/mean/", b"not json").status == 400


def _one_prediction_is_followed_back(up: Server, toy: projects.Project, request: str) -> None:
    """From the id in an answer to service, release, commit, model and data, and from the data to the service."""
    told = toy.ciranda("show", request).succeeds().out
    for said in (
        "mean in prod of first", "prod#1 by admin", up.head(toy)[:7], "pushed by admin, judged by run-1",
        "✓ positive of doubled", "average", "numbers", "tracked at",
    ):  # fmt: skip
        assert said in told, told
    document = toy.ciranda("show", request, "-e", "prod", "--json").succeeds().json
    assert (document["project"], document["service"], document["release"]) == ("first", "mean", "r1")
    assert [node["asset"] for node in document["assets"]["average"]] == ["average", "doubled", "numbers"]
    assert "no service of this home" in toy.ciranda("show", request, "-e", "test").fails().err
    down = toy.ciranda("show", "numbers@prod").succeeds().out
    assert "mean in prod#1 (r1), with average" in down
    assert "average" in toy.ciranda("show", "prod").succeeds().out
    assert toy.ciranda("show", "average@r1", "--json").succeeds().json["release"] == "r1"
    loaded = subprocess.run(
        [sys.executable, "-c", 'import ciranda; print(ciranda.load("average", environment="prod"))'],
        cwd=toy.root, env=toy.environment | {"CIRANDA_HOME": str(up.home)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "4.0" in loaded.stdout


def test_red_code_and_red_data_are_refused_and_the_branch_stays(up: Server) -> None:
    toy = up.project("red")
    up.push(toy).succeeds()
    before = up.head(toy)
    toy.write({"tests/unit.py": "assert 1 + 1 == 3, 'sums are broken'\n"})
    toy.commit("break a test")
    refused = up.push(toy).fails()
    assert "sums are broken" in refused.err
    toy.git("reset", "--hard", "HEAD~1").succeeds()
    toy.write({"data/numbers.txt": "1\n-2\n-3\n4\n"})
    toy.commit("break the data")
    refused = up.push(toy).fails()
    assert "positive: 2 of 4 rows" in refused.err
    assert "-4" in refused.err
    assert "ciranda show doubled@run-" in refused.err
    assert up.head(toy) == before
    assert up.ask("/red/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"


def test_a_change_cannot_loosen_the_gate_that_judges_it(up: Server) -> None:
    toy = up.project("sneaky")
    up.push(toy).succeeds()
    before = up.head(toy)
    toy.edit("pipeline.py", "if value <= 0", "if value <= -100")
    toy.write({"data/numbers.txt": "1\n-2\n-3\n4\n"})
    toy.commit("edit the check along with the data")
    assert "positive (the base's body): 2 of 4 rows" in up.push(toy).fails().err
    toy.git("reset", "--hard", "HEAD~1").succeeds()
    toy.edit("pipeline.py", "at_most=100.0", "at_most=1000.0")
    toy.edit("ciranda.toml", 'code = ["python tests/unit.py"]', "code = []")
    toy.commit("ask for less")
    refused = up.push(toy).fails().err
    assert "check not_too_high at_most 100 → 1000" in refused
    assert "no longer runs" in refused
    assert up.head(toy) == before
    accepted = up.push(toy, "-o", "accept-policy").succeeds().err
    assert "(accepted)" in accepted
    assert up.head(toy) != before


def test_what_git_may_not_do(up: Server) -> None:
    toy = up.project("guarded")
    up.push(toy).succeeds()
    before = up.head(toy)
    toy.git("checkout", "--quiet", "--orphan", "other").succeeds()
    toy.commit("unrelated")
    assert "only moves forward" in toy.git("push", "--force", "ciranda", "other:main").fails().err
    assert "cannot be deleted" in toy.git("push", "ciranda", ":main").fails().err
    toy.git("push", "ciranda", "other:refs/heads/feature").succeeds()
    toy.git("checkout", "--quiet", "main").succeeds()
    toy.commit("on top")
    assert "not built yet" in toy.git("push", "-o", "merge", "ciranda", "main").fails().err
    toy.git(
        "config", f"credential.{up.said['url']}.helper", "!f() { echo username=eve; echo password=wrong; }; f"
    ).succeeds()
    denied = toy.git("push", "ciranda", "main").fails(128)
    assert "Authentication failed" in denied.err
    assert (up.home / "repositories" / "guarded.git" / "refs" / "heads" / "main").read_text().strip() == before


def test_a_detached_push_and_a_client_that_dies_go_on_without_them(up: Server) -> None:
    toy = up.project("alone")
    head = toy.git("rev-parse", "HEAD").out.strip()
    pushed = up.push(toy, "-o", "detach").succeeds()
    assert "refs/changes/1" in pushed.err
    server.eventually(lambda: up.head(toy) == head, "the detached change lands")
    toy.ciranda("wait", "r1", "-e", "prod", "--timeout", "60").succeeds()
    toy.edit("pipeline.py", "2 * int", "3 * int")
    head = toy.commit("triple")
    client = toy.start("git", "push", "ciranda", "main")
    assert client.stdout is not None
    while "alone" not in (line := client.stdout.readline()):
        assert line, "the window opened"
    server.killed(client)
    server.eventually(lambda: up.head(toy) == head, "the change lands without its client")
    toy.ciranda("wait", "r2", "-e", "prod", "--timeout", "60").succeeds()
    assert up.ask("/alone/prod/mean/", {"x": 1}).json == 7.0


def test_a_service_that_never_gets_healthy_or_dies_right_after_leaves_the_old_release(up: Server) -> None:
    toy = up.project("sick", more=server.MORE.replace("start_timeout = 15", "start_timeout = 3"))
    up.push(toy).succeeds()
    toy.edit("service.py", "def predict", "import time\ntime.sleep(60)\n\ndef predict")
    toy.commit("never healthy")
    said = up.push(toy).succeeds().err
    assert "not healthy within 3 s" in said
    assert "what ran there goes on" in said
    toy.edit("service.py", "time.sleep(60)", "import os, threading\nthreading.Timer(0.3, os._exit, [3]).start()")
    toy.commit("dies right after")
    said = up.push(toy).succeeds().err
    assert "✗" in said
    for place in ("test", "prod"):
        answer = up.ask(f"/sick/{place}/mean/", {"x": 1})
        assert (answer.status, answer.headers["x-ciranda-release"]) == (200, "r1")


def test_rollback_holds_and_letting_go_lets_the_next_release_in(up: Server) -> None:
    toy = up.project("back")
    up.push(toy).succeeds()
    toy.edit("pipeline.py", "2 * int", "3 * int")
    toy.commit("triple")
    up.push(toy).succeeds()
    assert "r1 → " not in toy.ciranda("rollback", "prod").succeeds().out
    answer = up.ask("/back/prod/mean/", {"x": 1})
    assert (answer.json, answer.headers["x-ciranda-release"]) == (5.0, "r1")
    toy.edit("pipeline.py", "3 * int", "4 * int")
    toy.commit("four times")
    client = toy.start("git", "push", "ciranda", "main")
    assert client.stdout is not None
    said = ""
    while "held" not in said:
        said += (line := client.stdout.readline())
        assert line, said
    assert up.ask("/back/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r1"
    toy.ciranda("hold", "prod", "--release").succeeds()
    rest, _ = client.communicate(timeout=60)
    assert client.returncode == 0, said + rest
    assert up.ask("/back/prod/mean/", {"x": 1}).json == 9.0
    assert "no release r99" in toy.ciranda("rollback", "prod", "--to", "r99").fails().err


def test_a_command_in_another_language_is_a_service_too(up: Server) -> None:
    shell = """
        import http.server, os

        class Answer(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = os.environ["GREETING"].encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            do_POST = do_GET

        http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Answer).serve_forever()
    """
    more = """
        [services.hello]
        command = "python3 hello.py"

        [config.GREETING]
        type = "str"
        default = "hello"

        [environments.prod]
        config = { GREETING = "bom dia" }
    """
    toy = up.project("words", files={"hello.py": shell}, more=more)
    up.push(toy).succeeds()
    assert up.ask("/words/prod/hello/", b"").body == b"bom dia"


def test_a_step_that_reads_the_home_fails_where_it_is_confined(up: Server, confinement: str) -> None:
    token = up.home / "token"
    spy = f'\n    @dataset\n    def spied(numbers: str) -> str:\n        return open("{token}").read()\n'
    toy = up.project("spy", pipeline=server.PIPELINE + spy)
    pushed = up.push(toy)
    if confinement == "confined":
        assert "FileNotFoundError" in pushed.fails().err
        return
    pushed.succeeds()
    toy.edit("pipeline.py", "2 * int", "3 * int")
    assert "unconfined" in toy.ciranda("run").succeeds().out


COMPARED = """
    from ciranda import check, live, model

    @model
    def score(numbers: str) -> dict:
        return {"mean": float(numbers)}

    @check(score, at_least=0)
    def not_worse(score, now=live("score")):
        return score["mean"] - (now["mean"] if now else 0.0)
"""


def test_what_is_compared_with_live_is_compared_again_when_live_has_moved(up: Server) -> None:
    more = '[environments.test]\n[environments.prod]\nafter = "test"\n'
    toy = up.project("moved", pipeline=COMPARED, files={"data/numbers.txt": "5"}, more=more)
    up.push(toy).succeeds()
    toy.write({"data/numbers.txt": "7"})
    toy.commit("seven")
    up.push(toy).succeeds()
    toy.ciranda("rollback", "prod").succeeds()

    def held_at(value: int) -> tuple[Any, str]:
        """Push a score that is judged against what is live now, and waits before prod."""
        toy.write({"data/numbers.txt": str(value)})
        toy.commit(f"{value}")
        client = toy.start("git", "push", "ciranda", "main")
        assert client.stdout is not None
        said = ""
        while "waits for" not in said:
            said += (line := client.stdout.readline())
            assert line, said
        return client, said

    client, _ = held_at(6)  # better than r1, which is live
    toy.ciranda("rollback", "prod", "--to", "r2").succeeds()
    toy.ciranda("hold", "prod", "--release").succeeds()
    rest, _ = client.communicate(timeout=60)
    assert "r2 is live now: checks that compare with it run again" in rest
    assert "prod      ✗ score: not_worse failed, compared with r2, live now" in rest
    assert "r3 stops here; what runs in prod goes on" in rest
    told = toy.ciranda("wait", "r3", "-e", "prod").fails()
    assert "r3 does not enter prod: score: not_worse failed, compared with r2" in told.out + told.err
    by_hand = toy.ciranda("promote", "r3", "-e", "prod").fails()
    assert "r3 does not enter prod: score: not_worse failed, compared with r2, live now" in by_hand.err
    assert "the checks run once more" in by_hand.err

    toy.ciranda("hold", "prod").succeeds()
    client, _ = held_at(8)
    toy.ciranda("rollback", "prod", "--to", "r1").succeeds()
    toy.ciranda("hold", "prod", "--release").succeeds()
    rest, _ = client.communicate(timeout=60)
    assert "r1 is live now" in rest
    assert "prod      ✓ live" in rest


def test_a_check_that_cannot_be_judged_asks_a_person(up: Server) -> None:
    more = '[checks]\nwhen_unsure = { sure = "ask" }\n[environments.prod]\n'
    unsure = "\n    @check(score)\n    def sure(score):\n        raise KeyError('what')\n"
    toy = up.project("asks", pipeline=COMPARED + unsure, files={"data/numbers.txt": "5"}, more=more)
    client = toy.start("git", "push", "ciranda", "main")
    assert client.stdout is not None
    said = ""
    while "let it in: ciranda approve change/1" not in said:
        said += (line := client.stdout.readline())
        assert line, said
    assert "sure: raised KeyError: 'what' (asks)" in said
    assert "asks a person: ciranda approve change/1" in toy.ciranda("status").succeeds().out
    assert up.head(toy) == ""
    told = toy.ciranda("approve", "change/1").succeeds().out
    assert told == "change 1 of asks goes on without a verdict: score: sure could not be judged\n"
    rest, _ = client.communicate(timeout=60)
    assert client.returncode == 0, said + rest
    assert "prod      ✓ live" in rest
    assert "waits for nobody" in toy.ciranda("approve", "change/1").fails().err
