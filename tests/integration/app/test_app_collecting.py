"""What a home need not keep goes, with its reasons; what runs, may be gone back to or is young stays whole."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ciranda.app import collecting
from ciranda.app import home as homes
from ciranda.kernel import errors, sweep
from ciranda.kernel.database import Transaction
from ciranda.release import releases
from ciranda.versions import repositories
from support import environment as environments
from support import project as projects

PIPELINE = """
    from ciranda import check, dataset

    @dataset
    def table(numbers: str) -> list:
        return [int(line) for line in numbers.split()] * 20_000

    @dataset
    def small(table: list) -> list:
        return table[:3]

    @check(small)
    def positive(small):
        return all(value > 0 for value in small)
"""
DAY = 86_400


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[projects.Project]:
    made = projects.make(tmp_path, PIPELINE, sources={"numbers": "n.txt"}, files={"n.txt": "1\n2\n3\n"})
    made.ciranda("run").succeeds()
    yield made
    shutil.rmtree(homes.Home(made.home).sockets, ignore_errors=True)


def aged(home: Path, days: int) -> None:
    """Everything in the home is so many days old."""
    then = time.time() - days * DAY
    for path in home.rglob("*"):
        if "ledger" not in path.name:
            os.utime(path, (then, then))
    with homes.opened(homes.Home(home)) as (ledger, _):
        back = days * DAY * 1_000_000
        ledger.write(lambda tx: tx.execute("UPDATE run SET started_us = started_us - :back", back=back))
        ledger.write(lambda tx: tx.execute("UPDATE result SET made_us = made_us - :back", back=back))
        ledger.write(lambda tx: tx.execute("UPDATE outcome SET made_us = made_us - :back", back=back))


def kept(home: Path) -> set[str]:
    return {one.digest for one in sweep.listed(home / "store")}


def test_what_a_young_run_names_stays(toy: projects.Project) -> None:
    before = kept(toy.home)
    assert toy.ciranda("gc", "--json").succeeds().json["going"] == []
    aged(toy.home, 10)
    assert toy.ciranda("gc").succeeds().out.startswith("nothing to take away")
    assert kept(toy.home) == before


def test_what_only_old_runs_name_goes_and_is_made_anew_when_it_is_asked_for(toy: projects.Project) -> None:
    aged(toy.home, 100)
    said = toy.ciranda("gc", "--dry-run", "--json").succeeds().json
    assert {one["what"] for one in said["going"]} >= {"versions", "results"}
    assert said["freed"] > 100_000
    assert len(kept(toy.home)) > 0
    done = toy.ciranda("gc", "--json").succeeds().json
    assert (done["freed"], done["kept"]) == (said["freed"], said["kept"])
    assert kept(toy.home) == set()
    again = toy.ciranda("run", "--json").succeeds().json
    assert {step["state"] for step in again["steps"] if step["step"] != "numbers"} == {"ran"}
    assert {step["state"] for step in toy.ciranda("run", "--json").succeeds().json["steps"]} == {"unchanged"}


def test_what_a_new_run_took_from_an_old_one_stays(toy: projects.Project) -> None:
    aged(toy.home, 100)
    toy.write({"notes.md": "x"})
    toy.commit("a note")
    assert {step["state"] for step in toy.ciranda("run", "--json").succeeds().json["steps"]} == {"unchanged"}
    before = kept(toy.home)
    toy.ciranda("gc").succeeds()
    assert kept(toy.home) == before
    toy.write({"notes.md": "y"})
    assert {step["state"] for step in toy.ciranda("run", "--json").succeeds().json["steps"]} == {"unchanged"}


def test_what_was_stored_by_nobody_goes_after_a_day(toy: projects.Project) -> None:
    with homes.opened(homes.Home(toy.home)) as (_, store):
        orphan = store.put(os.urandom(100_000))
    toy.ciranda("gc").succeeds()
    assert orphan in kept(toy.home)
    then = time.time() - 2 * DAY
    os.utime(toy.home / "store" / "objects" / orphan[3:5] / orphan[5:], (then, then))
    toy.ciranda("gc").succeeds()
    assert orphan not in kept(toy.home)


def test_it_waits_for_runs_and_gives_up(toy: projects.Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "PATIENCE", 0.1)
    home = homes.Home(toy.home)
    with homes.opened(home) as (ledger, store), store.steady():
        with pytest.raises(errors.Refused, match="being stored"):
            collecting.collect(home, ledger, store, lambda _: None)


def test_a_declaration_that_cannot_be_read_keeps_everything(toy: projects.Project) -> None:
    aged(toy.home, 100)
    repository = toy.home / "repositories" / "toy.git"
    subprocess.run(["git", "init", "-q", "--bare", str(repository)], check=True)
    toy.write({"ciranda.toml": "no toml"})
    toy.commit("broken")
    toy.git("push", "-q", str(repository), "HEAD:main").succeeds()
    home = homes.Home(toy.home)
    with homes.opened(home) as (ledger, store), closing(ledger):
        row = "INSERT INTO project (name, repository, branch, at_us) VALUES ('toy', 'toy', 'main', 1)"
        ledger.write(lambda tx: tx.execute(row))
        with pytest.raises(errors.Invalid):
            collecting.plan(home, ledger, store)


def test_of_old_releases_the_newest_and_those_that_run_stay(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    homes.create(home)
    with homes.opened(home) as (ledger, store):
        site = environments.Site(ledger, store, tmp_path)
        site.reach(site.target("c1", model=os.urandom(100_000)))
        made = [site.release(f"c{number}", model=os.urandom(100_000)) for number in range(2, 25)]
        first = releases.get(ledger, "flights", "r1")
        old = "UPDATE release SET created_us = created_us - :back"
        ledger.write(lambda tx: tx.execute(old, back=100 * DAY * 1_000_000))
        aged(home.root, 100)
        found = collecting.collect(home, ledger, store, lambda _: None)
        assert found.releases == ("r4 of flights", "r3 of flights", "r2 of flights")
        assert (found.going[0].what, found.going[0].count) == ("versions", 6)  # each with its manifest
        for release, _ in [*made[3:], (first, None)]:
            assert store.has(releases.manifest(store, release).assets["delay"].digest)
        assert not store.has(made[0][1].assets["delay"].digest)
    shutil.rmtree(home.sockets, ignore_errors=True)


def test_of_old_runs_of_jobs_the_newest_of_each_kind_stay(tmp_path: Path) -> None:
    home = homes.Home(tmp_path / "home")
    homes.create(home)
    repositories.ensure(home.repositories, "toy")
    now = time.time_ns() // 1000
    with homes.opened(home) as (ledger, store):
        old = [  # name, days ago, cause, state
            ("a", 200, "schedule", "passed"), ("b", 190, "schedule", "passed"), ("c", 180, "schedule", "failed"),
            ("d", 170, "by hand", "passed"), ("e", 160, "by hand", "passed"), ("f", 150, "caught up", "passed"),
            ("g", 140, "schedule", "skipped"), ("h", 130, "schedule", "skipped"), ("i", 10, "schedule", "skipped"),
            ("j", 1, "schedule", "waiting"),
        ]  # fmt: skip

        def work(tx: Transaction) -> None:
            tx.execute("INSERT INTO project (name, repository, branch, at_us) VALUES ('toy', 'toy', 'main', 1)")
            for name, days, cause, state in old:
                at = now - days * DAY * 1_000_000
                job_run = (
                    "INSERT INTO job_run (id, project, environment, job, due_us, cause, actor, state, attempt, reason, queued_us, ended_us)"
                    " VALUES (:id, 'toy', 'prod', 'nightly', :at, :cause, '', :state, 1, '', :at, :at)"
                )
                tx.execute(job_run, id=name, at=at, cause=cause, state=state)
                verdict = "INSERT INTO verdict (change, place, name, subject, judgement, body) VALUES (:id, 1, '', '', '', '')"
                tx.execute(verdict, id=name)
            # what an environment still has was made by one of them
            tx.execute(
                "INSERT INTO output (project, environment, asset, version, job_run, at_us) VALUES ('toy', 'prod', 't', '', 'a', 1)"
            )

        ledger.write(work)
        found = collecting.plan(home, ledger, store)
        assert [(one.what, one.count) for one in found.going] == [("job runs", 4)]
        collecting.collect(home, ledger, store, lambda _: None)
        stays = [row["id"] for row in ledger.query("SELECT id FROM job_run ORDER BY id")]
        assert stays == ["a", "c", "e", "f", "i", "j"]
        assert [row["change"] for row in ledger.query("SELECT change FROM verdict ORDER BY change")] == stays
        assert collecting.plan(home, ledger, store).going == ()
    shutil.rmtree(home.sockets, ignore_errors=True)
