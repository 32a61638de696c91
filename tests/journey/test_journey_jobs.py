"""Jobs with the installed command line and a real server: by hand, wrong, mended, killed, too slow, and missed while nothing ran."""

import sqlite3
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from support import server
from support.project import CIRANDA, Project
from support.server import Server, eventually

PIPELINE = """
    import time

    from ciranda import check, dataset

    @dataset
    def doubled(numbers: str) -> list:
        return [2 * int(line) for line in numbers.split()]

    @dataset
    def scores(doubled: list) -> list:
        print(f"scoring {len(doubled)}")
        return [{"id": place, "score": value} for place, value in enumerate(doubled)]

    @check(scores)
    def positive(scores):
        return [row for row in scores if row["score"] <= 0]

    @dataset
    def slow(pause: str) -> float:
        time.sleep(float(pause))
        return float(pause)
"""
MORE = """
    [jobs.nightly]
    run = ["scores"]
    schedule = "0 HOUR * * * America/Sao_Paulo"
    ready_by = "07:00"

    [jobs.long]
    run = ["slow"]

    [jobs.stuck]
    run = ["slow"]
    timeout = 5

    [environments.test]

    [environments.prod]
    after = "test"
""".replace("HOUR", str((datetime.now(ZoneInfo("America/Sao_Paulo")).hour + 12) % 24))  # half a day from now


def shown(toy: Project, job: str) -> Any:
    """What `ciranda job show` says."""
    return toy.ciranda("job", "show", job, "-e", "prod", "--json").succeeds().json


def states(toy: Project, job: str) -> list[tuple[str, str]]:
    return [(entry["of"]["cause"], entry["of"]["state"]) for entry in shown(toy, job)["entries"]]


def test_a_job_from_its_first_run_to_the_one_that_was_missed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    numbers, pause = outside / "numbers.txt", outside / "pause.txt"
    numbers.write_text("1 2 3")
    pause.write_text("0")
    with server.up(tmp_path) as up:
        toy = up.project("toy", pipeline=PIPELINE, more=MORE, files={"data/numbers.txt": "unused\n"})
        lie_outside = f'numbers = {{ files = "{numbers}" }}\npause = {{ files = "{pause}" }}'
        toy.edit("ciranda.toml", 'numbers = { files = "data/*.txt" }', lie_outside)
        toy.commit("sources outside")
        up.push(toy).succeeds()
        toy.ciranda("wait", "r1", "-e", "prod").succeeds()
        _by_hand(toy)
        _wrong_and_mended(toy, numbers)
        _killed(toy, up, pause)
        _too_slow(toy, up, pause)
        toy.ciranda("down").succeeds()
        with sqlite3.connect(up.home / "ledger.db") as ledger:
            ledger.execute("UPDATE job SET since_us = since_us - 3 * 86400000000 WHERE name = 'nightly'")
        ledger.close()
        numbers.write_text("5 6")
        toy.ciranda("up", "--detach", "--port", "0", "--gateway-port", "0").succeeds()
        eventually(lambda: states(toy, "nightly")[0] == ("caught up", "passed"), "the missed run was caught up")
        assert [cause for cause, _ in states(toy, "nightly")].count("caught up") == 1


def _by_hand(toy: Project) -> None:
    eventually(lambda: "nightly" in toy.ciranda("job", "list", "-e", "prod").out, "its jobs are known")
    listed = toy.ciranda("job", "list", "-e", "prod", "--json").succeeds().json["jobs"]
    assert [(job["name"], job["schedule"] is not None) for job in listed] == [
        ("long", False), ("nightly", True), ("stuck", False),
    ]  # fmt: skip
    ran = toy.ciranda("job", "run", "nightly", "-e", "prod").succeeds()
    assert ran.out.splitlines()[0] == "toy nightly in prod at r1  by hand of admin"
    assert ran.out.splitlines()[-1] == "prod has scores of this run"
    assert "last ✓" in toy.ciranda("status").succeeds().out
    assert 'did you mean "nightly"?' in toy.ciranda("job", "run", "nightl", "-e", "prod").fails().err
    assert "did not fail" in toy.ciranda("job", "retry", "nightly", "-e", "prod").fails().err
    assert "needs a job and an environment" in toy.ciranda("job", "run", "nightly").fails(64).err


def _wrong_and_mended(toy: Project, numbers: Path) -> None:
    before = shown(toy, "nightly")["outputs"]
    numbers.write_text("1 -2 3 -4")
    wrong = toy.ciranda("job", "run", "nightly", "-e", "prod").fails()
    assert "✗ positive: 2 of 4 rows" in wrong.out
    assert "prod stays on what it had" in wrong.out
    told = shown(toy, "nightly")
    assert told["outputs"] == before
    assert "✗ positive: 2 of 4 rows" in "\n".join(told["found"])
    assert "-8" in toy.ciranda("job", "show", "nightly", "-e", "prod").succeeds().out
    assert "✗ scores: positive failed on 2 rows" in toy.ciranda("status").succeeds().out
    run = told["entries"][0]["run"]
    assert "scoring 4" in toy.ciranda("logs", run).succeeds().out
    numbers.write_text("1 2 3 4")
    mended = toy.ciranda("job", "retry", "nightly", "-e", "prod").succeeds()
    assert mended.out.splitlines()[0].endswith(", try 2"), "only what this try says"
    assert shown(toy, "nightly")["outputs"] != before


def _killed(toy: Project, up: Server, pause: Path) -> None:
    """Control, runner and with it the task's process are killed in the middle of a run."""
    pause.write_text("4")
    waiting = toy.start(str(CIRANDA), "job", "run", "long", "-e", "prod")
    eventually(lambda: states(toy, "long")[:1] == [("by hand", "running")], "it runs")
    refused = toy.ciranda("job", "run", "long", "-e", "prod").fails()
    assert "never two at once" in refused.err
    up.kill("runner")
    up.kill("control")
    out, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, out
    assert out.splitlines()[-1] == "prod has slow of this run"
    assert states(toy, "long") == [("by hand", "passed")]


def _too_slow(toy: Project, up: Server, pause: Path) -> None:
    pause.write_text("300")
    began = time.monotonic()

    def asked() -> bool:
        """Control may still be on its way up."""
        return toy.ciranda("job", "run", "stuck", "-e", "prod", "--detach").code == 0

    eventually(asked, "control is back")
    eventually(lambda: states(toy, "stuck")[:1] == [("by hand", "failed")], "it was ended")
    assert time.monotonic() - began < 30
    assert shown(toy, "stuck")["entries"][0]["of"]["reason"] == "it took longer than 5 s"
    assert list((up.home / "runs").glob("job-*")) == []
    interrupted = toy.ciranda("show", "--json").succeeds().json["run"]
    assert (interrupted["state"], interrupted["cause"]) == ("interrupted", "job stuck in prod")
