"""A project whose job is done by the real handler on a real ledger, store and repository; its numbers lie outside of the tree."""

import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.environment import jobs as rows
from ciranda.environment import moves, outputs, revisions
from ciranda.kernel import errors, migrations, tasks
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes, job, jobs, receive, tell
from ciranda.loop.places import Workshop
from ciranda.release import building, manifest, releases
from ciranda.versions import repositories
from support.git import Clone, new_clone
from support.kernel import Ledger

PIPELINE = """
    from ciranda import check, dataset, live

    @dataset
    def doubled(numbers: str) -> list:
        print("doubling")
        return [2 * int(line) for line in numbers.split()]

    @dataset
    def scores(doubled: list) -> list:
        return [{"id": place, "score": value} for place, value in enumerate(doubled)]

    @check(scores)
    def positive(scores):
        return [row for row in scores if row["score"] <= 0]

    @dataset
    def news(doubled: list) -> str:
        raise ValueError("no job asks for this")

    @check(news)
    def short(news):
        return len(news) < 100
"""
JOB = '[jobs.nightly]\nrun = ["scores"]\n'


@dataclass
class Site:
    """A home as the runner sees it, with a repository of one project `toy`; `numbers` is the file outside of it."""

    places: Workshop
    clone: Clone
    bare: Path
    numbers: Path

    @property
    def database(self) -> Database:
        return self.places.database

    def release(self, more: str = JOB, *, pipeline: str = PIPELINE) -> tuple[releases.Release, manifest.Manifest]:
        """Commit a declaration with `more` in it, and make its release."""
        toml = f"""[project]\nname = "toy"\npipeline = "pipeline.py"\n[sources]\nnumbers = {{ files = "{self.numbers}" }}\n{more}
[environments.test]\n[environments.prod]\nafter = "test"\n"""
        files = {"ciranda.toml": toml, "pipeline.py": textwrap.dedent(pipeline)}
        commit = self.clone.commit("Next", files)
        subprocess.run(
            ["git", "-C", str(self.bare), "fetch", "-q", str(self.clone.path), "+HEAD:refs/heads/main"], check=True
        )
        content = building.build(
            receive.declared(self.bare, commit), commit=commit, tree=repositories.commit(self.bare, commit).tree,
            interpreter="b3:interpreter", parameters={}, assets={}, policy="b3:policy",
        )  # fmt: skip
        kept = releases.keep(self.places.store, content)
        made = self.database.write(lambda tx: releases.make(tx, manifest=content, kept=kept, change=None, actor="ana"))
        return made, content

    def live(self, more: str = JOB, environment: str = "prod", *, pipeline: str = PIPELINE) -> releases.Release:
        """A release that is live in an environment."""
        release, content = self.release(more, pipeline=pipeline)
        wanted = self.database.write(
            lambda tx: moves.target(tx, environment=environment, release=release, content=content, actor="ana")
        )
        assert self.database.write(lambda tx: moves.end(tx, wanted, "reached", actor="ciranda"))
        return release

    def since(self, us: int, job: str = "nightly") -> None:
        """As if the job had been there since then."""
        jobs.Sweep(self.places).look()
        text = "UPDATE job SET since_us = :us WHERE name = :job"
        assert self.database.write(lambda tx: tx.execute(text, us=us, job=job)) == 1

    def claim(self) -> tasks.Task | None:
        """The next task of a job, as the runner takes it."""
        return tasks.claim(self.database, worker="1:1:x", kinds=["job"], lease=60.0)

    def work(self) -> int:
        """Do what is queued, as the runner does; how many tasks there were."""
        done = 0
        while (task := self.claim()) is not None:
            done += 1
            try:
                job.perform(task, self.places)
            except errors.CirandaError as error:
                job.give_up(task, self.places, str(error))
        return done

    def run(self, name: str = "nightly", environment: str = "prod") -> rows.Run:
        """Run a job by hand, to its end."""
        queued = jobs.by_hand(self.places, "toy", environment, name, actor="ana")
        self.work()
        return self.now(queued)

    def now(self, run: rows.Run) -> rows.Run:
        """A run as the ledger has it."""
        found = rows.get(self.database, run.id)
        assert found is not None
        return found

    def value(self, asset: str = "scores", environment: str = "prod") -> bytes:
        """What an environment has of an asset from its jobs."""
        return self.places.store.get(outputs.current(self.database, "toy", environment)[asset].version.digest)

    def said(self, run: rows.Run) -> list[str]:
        """The lines of a run."""
        return [record["text"] for record in tell.Teller(self.places.lines, run.id).records()]

    def history(self, environment: str = "prod") -> list[tuple[str, str]]:
        """Cause and state of the runs of `nightly`, newest first."""
        return [(run.cause, run.state) for run in rows.history(self.database, "toy", environment, "nightly")]

    def events(self, kind: str = "job.") -> list[Any]:
        """The facts of jobs, in order."""
        found = self.database.query("SELECT kind FROM event WHERE chain = 'toy' ORDER BY seq")
        return [row["kind"] for row in found if row["kind"].startswith(kind)]

    def environment(self, name: str = "prod") -> revisions.Environment:
        return revisions.environment(self.database, "toy", name)


def site(ledger: Ledger, folder: Path) -> Site:
    """A home on a ledger, with everything but a server."""
    home = homes.Home(folder / "home")
    for each in (home.root, home.lines, home.runs, home.interpreters, home.trees):
        each.mkdir()
    database = ledger.open()
    migrations.migrate(database, [f"ciranda.{room}" for room in homes.ROOMS])
    clone = new_clone(folder / "clone")
    bare = repositories.ensure(home.repositories, "toy")
    database.write(lambda tx: changes.claim_project(tx, "toy", "toy", "refs/heads/main"))
    numbers = folder / "outside" / "numbers.txt"
    numbers.parent.mkdir()
    numbers.write_text("1 2 3")
    places = Workshop(
        database=database, store=Store(home.store), repositories=home.repositories, lines=home.lines,
        interpreters=home.interpreters, runs=home.runs, trees=home.trees, home=home.root,
        gateway=lambda: "http://127.0.0.1",
    )  # fmt: skip
    return Site(places, clone, bare, numbers)
