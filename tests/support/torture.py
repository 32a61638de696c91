"""Kills at named points and from outside while a client pushes, runs, rolls back and asks; then everything acknowledged is looked for.

    with torture_verbs.begun(folder, seed, say) as ordeal:
        ordeal.push([Want("change.merging"), Want(process="gateway")])

A round is one thing that the client wants done, and the kills on its way; after each round the server must come to rest within
`LIMIT` seconds of its restart, and everything that was ever acknowledged must be there.
"""

import itertools
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ciranda.demo.traffic import Traffic
from ciranda.kernel import errors, sockets
from support import torture_kept, torture_plan, torture_project
from support.torture_plan import Want
from support.torture_site import LOOK, Broken, Fuse, Kill, Said, Site, free_ports, kill

LIMIT = 10.0  # seconds from the restart to rest
WORST = 60.0  # seconds after which rest is not waited for any more
PATIENCE = 15.0  # seconds in which a point must be passed, or a process be there
CRASHES = 3  # of the instances of one release: more make its restarts slow on purpose


@dataclass
class Ordeal:
    """A server, a client that remembers, and what was done to them."""

    site: Site
    seed: int
    say: Callable[[str], None]
    rng: random.Random
    local: Fuse  # for commands that the client runs
    kills: list[Kill] = field(default_factory=list)
    kept: torture_kept.Kept = field(default_factory=torture_kept.Kept)
    rest: list[float] = field(default_factory=list)  # seconds from restart to rest, a round
    crashes: Counter[int] = field(default_factory=Counter)  # instances killed, by release
    traffic: Traffic | None = None
    looked: int = 0  # how many answers were looked at
    tries: list[tuple[str, Said]] = field(default_factory=list)  # of the client that were not acknowledged
    round: int = 0
    live: int = 0  # the release that production runs, by its number
    names: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    # -- rounds

    def push(self, wants: Sequence[Want] = ()) -> list[Want]:
        """New data is pushed until the push is acknowledged, and must become live. Returns the kills that did not happen."""
        folder = self.site.folder / "toy"
        answer = torture_project.write_data(folder, self.rng)
        commit = self.commit(folder)
        self.kept.expect(any_newer=True)
        left = self.assault(f"push {commit[:7]}", lambda: self.push_until_acknowledged(folder, commit), wants)
        self.live, of = self.in_production()
        self.must(of == commit, f"{commit[:7]} was acknowledged and did not become live: r{self.live} of {of[:7]} is")
        self.kept.answers[self.live] = answer
        said = self.site.ciranda("wait", f"r{self.live}", "-e", "prod", "--timeout", "10", cwd=folder)
        self.must(said.code == 0, f"wait r{self.live}: {said.text}")
        self.kept.expect(oldest=self.live)
        if self.traffic is None:
            address = f"{self.site.gateway}/toy/prod/delays/"
            self.traffic = Traffic(address, [torture_project.REQUEST], rate=30, clients=3)
            self.traffic.start()
        return left

    def run(self, wants: Sequence[Want] = ()) -> list[Want]:
        """`ciranda run` on new data until it finishes; once more, and nothing has to be done."""
        folder = self.site.folder / "local"
        torture_project.write_data(folder, self.rng)
        left = self.assault("run", lambda: self.run_until_finished(folder), wants, fuse=self.local)
        again = self.site.ciranda("run", "--json", cwd=folder)
        states = {step["state"] for step in again.json["steps"]}
        self.must(again.code == 0 and states == {"unchanged"}, f"run again: {states}")
        return left

    def roll_back(self, wants: Sequence[Want] = ()) -> list[Want]:
        """Back to the release before, and then production is open again."""
        folder = self.site.folder / "toy"
        numbers = self.site.ledger(
            "SELECT DISTINCT r.number FROM revision v JOIN release r ON r.id = v.release WHERE v.project = 'toy' AND "
            "v.environment = 'prod' AND v.state = 'reached' AND v.bad = 0 AND r.number < ? ORDER BY r.number DESC LIMIT 1",
            self.live,
        )
        if not numbers:
            return list(wants)
        to = int(numbers[0][0])
        self.kept.held = None
        self.kept.expect(oldest=to)

        def back() -> None:
            said = self.until_done(
                ("rollback", "prod", "--to", f"r{to}", "--json"), folder, enough=f"is at r{to} already"
            )
            if said.code == 0:
                self.kept.held = True
                self.kept.verbs += 1
                self.kept.expect(newest=to)

        left = self.assault(f"rollback to r{to}", back, wants)
        self.live, _ = self.in_production()
        self.must(self.live == to, f"production was rolled back to r{to}, and r{self.live} is live")
        self.kept.expect(oldest=to, newest=to)
        self.let_go(folder)
        return left

    def hold(self, wants: Sequence[Want] = ()) -> list[Want]:
        """Production is held, and open again."""
        folder = self.site.folder / "toy"
        self.kept.held = None

        def held() -> None:
            self.until_done(("hold", "prod", "--reason", "torture"), folder)
            self.kept.held = True
            self.kept.verbs += 1

        left = self.assault("hold", held, wants)
        self.let_go(folder)
        return left

    def quiet(self, wants: Sequence[Want] = ()) -> list[Want]:
        """Nobody wants anything but answers."""
        return self.assault("quiet", lambda: None, wants)

    def begin_repository(self, wants: Sequence[Want] = ()) -> list[Want]:
        """The first push of a new project, which has no services."""
        folder = self.project(f"other-{next(self.names)}", torture_project.DECLARED)
        commit = self.commit(folder)
        return self.assault(f"first push of {folder.name}", lambda: self.push_until_acknowledged(folder, commit), wants)

    def lock(self, wants: Sequence[Want] = ()) -> list[Want]:
        """A run of a project whose interpreter has to be built."""
        folder = self.project(f"locked-{next(self.names)}", torture_project.DECLARED)
        (folder / "requirements.txt").write_text(f"# {self.seed} {folder.name}\n")
        return self.assault("run with a lock", lambda: self.run_until_finished(folder), wants, fuse=self.local)

    def first_run(self, wants: Sequence[Want] = ()) -> list[Want]:
        """A run that makes its home, and is killed; the next one goes on."""
        folder = self.project(f"first-{next(self.names)}", torture_project.DECLARED)
        home = self.site.folder / f"home-{folder.name}"

        def run() -> None:
            self.until_done(("run", "--json"), folder, CIRANDA_HOME=str(home), **self.local.variables)

        left = self.assault("first run of a home", run, wants, fuse=self.local)
        states = {
            step["state"]
            for step in self.site.ciranda("run", "--json", cwd=folder, CIRANDA_HOME=str(home)).json["steps"]
        }
        self.must(states == {"unchanged"}, f"run again in a new home: {states}")
        torture_kept.objects_and_events(home)
        shutil.rmtree(sockets.folder(home))
        return left

    def fresh(self, wants: Sequence[Want] = ()) -> list[Want]:
        """A new home, whose first start is killed: the next one goes on."""
        place = self.site.folder / f"fresh-{next(self.names)}"
        place.mkdir()
        other = Site(place, free_ports(), Fuse(place / "next"))
        self.round += 1
        left = list(wants)
        try:
            for want in wants:
                other.fuse.arm(want.point)
                began = time.monotonic()
                other.up()
                if (found := other.fuse.burnt(want.point)) is not None:
                    self.count(found)
                    left.remove(want)
                else:
                    other.fuse.disarm()
            other.ensure()
            self.must(other.status()["projects"] == [], "a fresh home knows a project")
            self.must(other.down().code == 0, "a fresh home does not go down")
            self.must(not other.family(), f"a fresh home leaves processes: {other.family()}")
            self.say(
                f"{self.round:>4}  {'a new home':<22} {', '.join(map(str, wants))} (up); up after {other.started - began:.1f} s"
            )
        except Broken as broken:
            raise Broken(f"{broken}\n{other.told()}") from None
        finally:
            other.end()
        return left

    def play(self, wants: Sequence[Want], *, until: Callable[[], bool] = lambda: False) -> list[Want]:
        """Rounds until every wanted kill has happened, or `until` says that it is enough; returns what is left.

        Raises Broken for a kill that finds no occasion.
        """
        waiting = list(wants)
        while waiting and not until():
            kind, taken = torture_plan.next_round(waiting, self.rng)
            for want in taken:
                waiting.remove(want)
            for want in getattr(self, kind)(taken):
                self.must(want.tries < torture_plan.TRIES, f"there is no occasion for {want}")
                waiting.append(want.again)
        return waiting

    # -- kills

    def assault(
        self, what: str, operation: Callable[[], None], wants: Sequence[Want], *, fuse: Fuse | None = None
    ) -> list[Want]:
        """Do it, kill on the way, come to rest, and look whether everything is there."""
        self.round += 1
        before, began = len(self.kills), time.monotonic()
        try:
            with ThreadPoolExecutor(1) as pool:
                doing = pool.submit(operation)
                left = [want for want in wants if not self.inflict(want, doing, fuse or self.site.fuse)]
                while not doing.done():
                    self.watch()
                doing.result()
            self.come_to_rest(max([began, *(one.gone for one in self.kills[before:])]))
            self.look()
        except (Broken, errors.CirandaError) as broken:
            done = ", ".join(f"{one.process}@{one.point or 'outside'}" for one in self.kills[before:])
            raise Broken(
                f"seed {self.seed}, round {self.round} ({what}; {done}): {broken}\n{self.site.told()}"
            ) from None
        killed = ", ".join(f"{one.point or 'from outside'} ({one.process})" for one in self.kills[before:])
        self.say(f"{self.round:>4}  {what:<22} {killed or 'nothing killed'}; rest after {self.rest[-1]:.1f} s")
        return left

    def inflict(self, want: Want, doing: "Future[None]", fuse: Fuse) -> bool:
        """Make one kill happen; False when there was no occasion."""
        until = time.monotonic() + PATIENCE
        if not want.point:
            return self.strike(want, doing, until)
        pid = self.site.role(want.process) if want.process else None
        fuse.arm(want.point, pid)
        while True:
            found = fuse.burnt(want.point)
            if found is not None:
                self.count(found)
                self.watch()
                self.wait_for_gateway()
                return True
            self.watch()
            if self.over(doing, until) and fuse.disarm():
                return False

    def strike(self, want: Want, doing: "Future[None]", until: float) -> bool:
        """Kill a process from outside, at a moment that nobody chose."""
        pause = self.rng.random() * (0.3 if want.process in ("run", "worker", "window") else 1.5)
        while not self.over(doing, until):
            if there := self.victims(want.process):
                time.sleep(pause)
                pid = self.rng.choice(there)
                if pid in self.victims(want.process):
                    at, gone = kill(pid)
                    self.count(Kill(want.process, "", pid, at, gone))
                    self.watch()
                    self.wait_for_gateway()
                    return True
            self.watch()
        return False

    def victims(self, role: str) -> list[int]:
        """Who may be killed. Of the instances, those of what production runs, so that no new release is made to fail by us."""
        if role == "instance":
            whole = self.site.short_of_instances() == "" if self.reachable() else False
            allowed = whole and self.crashes[self.live] < CRASHES
            return self.site.instances("prod", f"r{self.live}") if allowed else []
        if role in ("keeper", "gateway", "control", "runner"):
            pid = self.site.role(role)
            return [] if pid is None else [pid]
        return self.site.find(role)

    def count(self, one: Kill) -> None:
        self.kills.append(one)
        if one.process == "instance":
            self.crashes[self.live] += 1

    def wait_for_gateway(self) -> None:
        """Until it answers: when gateway and keeper are both dead nobody holds the listening socket, and requests are refused."""
        until = time.monotonic() + WORST
        while not self.site.answers("gateway"):
            self.watch()
            if time.monotonic() > until:
                raise Broken(f"the gateway is not back after {WORST:g} s")

    def over(self, doing: "Future[None]", until: float) -> bool:
        """Whether nothing more will happen."""
        return time.monotonic() > until or (doing.done() and not self.site.unrest())

    def watch(self) -> None:
        """A keeper that is gone is started again, as whoever keeps it running would; else a moment passes."""
        if not self.site.ensure():
            time.sleep(LOOK)

    def come_to_rest(self, since: float) -> None:
        while unrest := self.site.unrest():
            self.watch()
            if time.monotonic() - since > WORST:
                raise Broken(f"no rest after {WORST:g} s: {unrest}")
        self.rest.append(max(time.monotonic() - max(since, self.site.restarted()), 0.0))
        if self.rest[-1] > LIMIT:
            self.say(
                f"{self.rest[-1]:.1f} s until rest:\n{self.site.timeline(LIMIT + self.rest[-1])}\n{self.site.told()}"
            )

    def reachable(self) -> bool:
        try:
            self.site.status()
        except errors.CirandaError:
            return False
        return True

    # -- the client

    def push_until_acknowledged(self, folder: Path, commit: str) -> None:
        said = self.until_done(("push", "ciranda", "main"), folder, program="git")
        assert said.code == 0
        self.kept.commits[folder.name] = commit
        self.kept.pushes += 1

    def run_until_finished(self, folder: Path) -> None:
        said = self.until_done(("run", "--json"), folder, **self.local.variables)
        self.kept.runs.append((folder.name, int(said.json["run"].removeprefix("run-"))))

    def until_done(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        program: str = "",
        enough: str = "",
        code: int = 0,
        cuts: bool = False,
        **variables: str,
    ) -> Said:
        """A command until it exits 0 (or `code`), or says that there is nothing to do any more; its server may be away for a while.

        `cuts`: it is a `run` that asks the server, and so may be cut off.
        """
        until = time.monotonic() + WORST
        while True:
            if program:
                said = self.site.run(program, *arguments, cwd=folder, **variables)
            else:
                said = self.site.ciranda(*arguments, cwd=folder, **variables)
            if said.code in (0, code) or (enough and enough in said.text):
                return said
            self.tries.append((arguments[0], said))
            cut = cuts or said.code == -signal.SIGKILL or arguments[0] != "run"
            self.must(cut, f"run: {said.code} {said.text}")
            self.must(" stays at " not in said.text and " stays as it was" not in said.text, f"refused: {said.text}")
            if time.monotonic() > until:
                raise Broken(f"{' '.join(arguments)} is not done after {WORST:g} s: {said.code} {said.text}")
            time.sleep(LOOK)

    def let_go(self, folder: Path) -> None:
        self.kept.held = None
        self.until_done(("hold", "prod", "--release"), folder)
        self.kept.held = False
        self.kept.verbs += 1
        self.look()

    def in_production(self) -> tuple[int, str]:
        """The number and the commit of the release that the ledger says production runs."""
        [found] = self.site.ledger(
            "SELECT r.number, r.commit_sha FROM revision v JOIN release r ON r.id = v.release "
            "WHERE v.project = 'toy' AND v.environment = 'prod' AND v.state = 'reached' ORDER BY v.number DESC LIMIT 1"
        )
        return int(found[0]), str(found[1])

    def project(self, name: str, declared: str) -> Path:
        """A project with the server as its remote."""
        folder = self.site.folder / name
        torture_project.write(folder, declared, self.rng)
        self.must(self.site.ciranda("init", cwd=folder).code == 0, "init")
        return folder

    def commit(self, folder: Path) -> str:
        for arguments in (("add", "--all"), ("commit", "--quiet", "--message", f"round {self.round + 1}")):
            said = self.site.run("git", *arguments, cwd=folder)
            self.must(said.code == 0, said.text)
        return self.site.run("git", "rev-parse", "HEAD", cwd=folder).text.strip()

    # -- what must hold

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            raise Broken(f"seed {self.seed}, round {self.round}: {what}\n{self.site.told()}")

    def look(self) -> None:
        """After each round: main has every acknowledged commit, production is held as it was told, traffic was answered."""
        for name, commit in self.kept.commits.items():
            folder = self.site.folder / name
            at = self.site.run("git", "ls-remote", "ciranda", "refs/heads/main", cwd=folder).text.split("\t")[0]
            known = (
                at == commit or self.site.run("git", "merge-base", "--is-ancestor", commit, at, cwd=folder).code == 0
            )
            self.must(known, f"main of {name} is at {at[:7]}; {commit[:7]} was acknowledged")
        if self.kept.held is not None:
            status = self.site.status()["projects"]
            places = {
                place["name"]: place
                for project in status
                if project["name"] == "toy"
                for place in project["environments"]
            }
            self.must(
                bool(places["prod"]["held"]) == self.kept.held,
                f"prod: held {places['prod']['held']!r}, not {self.kept.held}",
            )
        if self.traffic is not None:
            mark = self.traffic.mark
            answers = self.traffic.since(self.looked)[: mark - self.looked]
            self.looked = mark
            wrong = torture_kept.failures(answers, self.kills) + self.kept.astray(answers)
            self.must(not wrong, "answers: " + "\n".join(wrong[:10]))
        self.must(not (found := torture_kept.half_written(self.site)), f"half-written: {found}")

    def last_look(self) -> None:
        """At the end: every run is there, every object that is named can be read, every event is as it was written."""
        self.stop()
        self.look()
        shown = {row[:2] for row in self.site.ledger("SELECT project, number, state FROM run WHERE state = 'finished'")}
        self.must(not (lost := set(self.kept.runs) - shown), f"runs are lost: {lost}")
        for name, number in self.kept.runs[-3:]:
            said = self.site.ciranda("show", f"run-{number}", "--json", cwd=self.site.folder / name)
            self.must(said.code == 0, f"show run-{number}: {said.text}")
        down = self.site.down()
        self.must(down.code == 0, f"down: {down.text}")
        self.must(not (left := self.site.family()), f"processes are left: {left}")
        torture_kept.objects_and_events(self.site.home)

    def stop(self) -> None:
        """Stop asking; safe to repeat."""
        if self.traffic is not None:
            self.traffic.stop()

    @property
    def answers(self) -> tuple[int, int]:
        """How many requests there were, and how many were lost with a process that died."""
        answers = [] if self.traffic is None else self.traffic.since(0)
        return len(answers), sum(answer.failed for answer in answers)
