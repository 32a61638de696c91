"""Rounds of the torture that change what runs without a push: a job, new data, configuration, a secret, a plan; each acknowledged once.

with torture_verbs.begun(folder, seed, say) as ordeal:
    ordeal.job([Want("store.pack.synced"), Want(process="runner")])
"""

import contextlib
import json
import random
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.environment import secrets
from ciranda.kernel import sealing, volatile
from support import torture, torture_project
from support.torture_plan import Want
from support.torture_site import CIRANDA, Broken, Fuse, Site, free_ports

SECRET = "TOKEN"
SETTING = "LEVEL"
JOB = "nightly"
_SERVER = "SELECT value FROM setting WHERE project = 'toy' AND environment = 'prod' AND name = ?"
_MADE = (
    "SELECT number, state, cause, config, secrets, release FROM revision "
    "WHERE project = 'toy' AND environment = 'prod' AND number > ? ORDER BY number"
)


@dataclass
class Verbs(torture.Ordeal):
    """An ordeal whose project has a job, a source outside of it, a setting and a secret."""

    level: str = ""  # as it was last set, and acknowledged
    sealed: list[str] = field(default_factory=list)  # every value of the secret that was acknowledged
    jobs: list[str] = field(default_factory=list)  # runs of the job that passed, by identity
    days: list[str] = field(default_factory=list)  # files that new data was taken in of

    @property
    def outside(self) -> Path:
        """Where the project's data lies that Git does not carry."""
        return self.site.folder / "outside"

    @property
    def toy(self) -> Path:
        """The project that is served."""
        return self.site.folder / "toy"

    # -- rounds

    def job(self, wants: Sequence[Want] = ()) -> list[Want]:
        """The job runs on a file that is new, until it passes."""
        self.new_day()

        def work() -> None:
            said = self.until_done(("job", "run", JOB, "-e", "prod", "--json"), self.toy)
            self.jobs.append(str(said.json["id"]))

        left = self.assault("job", work, wants)
        self.look_at_jobs()
        return left

    def data(self, wants: Sequence[Want] = ()) -> list[Want]:
        """New data becomes a release, once, without a push."""
        day = self.new_day()
        known = {row[0] for row in self.site.ledger("SELECT id FROM release WHERE project = 'toy'")}
        self.kept.expect(any_newer=True)
        answer = self.kept.answers[max(self.kept.answers)]  # of the newest push: production may be further back

        def work() -> None:
            self.until_done(("run", "--refresh", "--json"), self.toy, cuts=True)

        left = self.assault("new data", work, wants)
        self.days.append(day)
        self.live, _ = self.in_production()
        made = [row for row in self.site.ledger("SELECT id FROM release WHERE project = 'toy'") if row[0] not in known]
        self.must(len(made) == 1, f"new data made {len(made)} releases")
        landed = self.site.ledger(
            "SELECT COUNT(*) FROM change WHERE project = 'toy' AND release = ? AND kind = 'data'", made[0][0]
        )
        self.must(landed[0][0] == 1, f"new data landed with {landed[0][0]} changes")
        self.kept.answers[self.live] = answer
        self.kept.expect(oldest=self.live)
        return left

    def config(self, wants: Sequence[Want] = ()) -> list[Want]:
        """A setting of production gets another value: one revision."""
        value = f"level-{self.round}-{self.rng.randrange(1 << 30)}"

        def work() -> None:
            self.until_done(("config", "set", f"{SETTING}={value}", "-e", "prod", "--json"), self.toy)
            self.level = value

        return self.renewed(f"config set {value}", work, wants, lambda row: json.loads(row[3])[SETTING]["value"], value)

    def secret(self, wants: Sequence[Want] = ()) -> list[Want]:
        """A secret of production gets another value: one version, one revision."""
        value = f"secret-{self.round}-{self.rng.randrange(1 << 30)}"
        before = self.versions("prod")

        def work() -> None:
            self.seal(value, "prod")

        left = self.renewed("secret set", work, wants, lambda row: json.loads(row[4])[SECRET], before + 1)
        self.must(self.versions("prod") == before + 1, f"version {before} became {self.versions('prod')}")
        return left

    def applied(self, wants: Sequence[Want] = ()) -> list[Want]:
        """Back to the release before, and forward again by a plan in a file."""
        newest = self.live
        self.roll_back()
        if self.live == newest:
            return list(wants)
        place, before = self.site.folder / "prod.plan", self.last()

        def work() -> None:
            made = self.until_done(
                ("plan", f"r{newest}", "-e", "prod", "--out", str(place), "--json"), self.toy, code=2
            )
            self.kept.expect(newest=newest)
            self.must(json.loads(place.read_bytes())["digest"] == made.json["digest"], "the file names another plan")
            self.until_done(("apply", str(place), "--json", "--timeout", "60"), self.toy)

        left = self.assault(f"apply r{newest}", work, wants)
        self.live, _ = self.in_production()
        self.must(self.live == newest, f"r{newest} was applied and r{self.live} is live")
        made = self.site.ledger(_MADE, before)
        self.must(len(made) == 1, f"one apply made {len(made)} revisions: {[row[:3] for row in made]}")
        self.kept.expect(oldest=newest, newest=newest)
        return left

    def renewed(
        self,
        what: str,
        work: Callable[[], None],
        wants: Sequence[Want],
        read: Callable[[tuple[Any, ...]], object],
        wanted: object,
    ) -> list[Want]:
        """Do what makes one revision of the release that is live."""
        before = self.last()
        left = self.assault(what, work, wants)
        made = self.site.ledger(_MADE, before)
        told = [row[:3] for row in made]
        self.must(len(made) == 1 and made[0][1] == "reached", f"{what} made these revisions: {told}")
        self.must(read(made[0]) == wanted, f"{what} made {made[0]}")
        return left

    # -- what must hold

    def look(self) -> None:
        """What was set is set."""
        super().look()
        if self.level:
            there = [json.loads(row[0]) for row in self.site.ledger(_SERVER, SETTING)]
            self.must(there == [self.level], f"{SETTING} is {there}; {self.level} was acknowledged")

    def look_at_jobs(self) -> None:
        """Whatever a job was asked, it ended once, and what was acknowledged is there."""
        runs = dict(self.site.ledger("SELECT id, state FROM job_run"))
        lost = [one for one in self.jobs if runs.get(one) != "passed"]
        self.must(not lost, f"runs of the job are lost: {lost}")
        for run, state in runs.items():
            kinds = [row[0] for row in self.site.ledger("SELECT kind FROM event WHERE subject = ? ORDER BY seq", run)]
            ends = [kind for kind in kinds if kind in ("job.finished", "job.failed")]
            wanted = {"passed": ["job.finished"], "failed": ["job.failed"], "skipped": []}.get(state)
            self.must(ends == wanted, f"a run of the job that {state} has the events {kinds}")
            self.must(kinds.count("job.started") <= 1, f"a run of the job began more than once: {kinds}")
        if self.jobs:
            [(made, last)] = self.site.ledger("SELECT job_run, version FROM output WHERE environment = 'prod'")
            self.must(runs[made] == "passed", f"production has the output of {made}, which {runs[made]}")
            self.must(made >= self.jobs[-1], f"production has the output of {made}, older than {self.jobs[-1]}: {last}")

    def last_look(self) -> None:
        """Secrets open, every file that was taken in is in the pins, and nothing lies in memory any more."""
        self.look_at_jobs()
        super().last_look()
        home = homes.Home(self.site.home)
        with homes.opened(home) as (database, store):
            key = sealing.load(home.root / secrets.FILE)
            newest = secrets.versions(database, "toy", "prod")[SECRET]
            for number, value in enumerate(self.sealed, newest - len(self.sealed) + 1):
                found = secrets.unsealed(database, key, "toy", "prod", {SECRET: number})[SECRET]
                self.must(found == value.encode(), f"version {number} of the secret is not what was acknowledged")
            [pins] = database.query("SELECT version FROM pin WHERE project = 'toy' AND source = 'days'")
            listed = store.get(json.loads(pins["version"])["digest"]).decode()
            self.must(not (lost := [day for day in self.days if day not in listed]), f"taken in and lost: {lost}")
        left = volatile.place(self.site.home, "secrets")
        self.must(not left.exists(), f"secrets are left: {left}")

    # -- what it is made of

    def new_day(self) -> str:
        """Another file outside of the project."""
        self.outside.mkdir(exist_ok=True)
        name = f"day-{len(list(self.outside.iterdir())):04}.csv"
        fresh = self.outside / f".{name}"
        fresh.write_text("\n".join(str(self.rng.randrange(1 << 30)) for _ in range(9000)))
        fresh.rename(self.outside / name)
        return name

    def seal(self, value: str, environment: str) -> None:
        """Set the secret until that is acknowledged."""
        command = f"printf %s {value} | {shlex.quote(str(CIRANDA))} secret set {SECRET} -e {environment} --json"
        self.until_done(("-c", command), self.toy, program="sh")
        if environment == "prod":
            self.sealed.append(value)

    def versions(self, environment: str) -> int:
        """The newest version of the secret."""
        [(newest,)] = self.site.ledger("SELECT MAX(version) FROM secret WHERE environment = ?", environment)
        return int(newest or 0)

    def last(self) -> int:
        """The number of the last revision of production."""
        [(number,)] = self.site.ledger("SELECT MAX(number) FROM revision WHERE environment = 'prod'")
        return int(number)


@contextlib.contextmanager
def begun(folder: Path, seed: int, say: Callable[[str], None]) -> Iterator[Verbs]:
    """A server in a home of its own under `folder`, with a first release in production; nothing is left of it."""
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(folder, free_ports(), Fuse(folder / "next"))
    ordeal = Verbs(site, seed, say, random.Random(seed), Fuse(folder / "local-next"))
    try:
        site.up()
        ordeal.new_day()
        served = torture_project.SERVED.replace("OUTSIDE", str(ordeal.outside))
        ordeal.project("toy", torture_project.DECLARED + served)
        ordeal.project("local", torture_project.DECLARED)
        for environment in ("test", "prod"):
            ordeal.seal(f"first-{seed}", environment)
        ordeal.push()
        ordeal.push()
        yield ordeal
    finally:
        ordeal.stop()
        with contextlib.suppress(Broken):
            site.down()
        site.end()
