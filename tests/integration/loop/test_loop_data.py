"""New data without a commit: looked at, made a change, judged with its pins, and never lost to a push that lands meanwhile."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.environment import moves, revisions
from ciranda.kernel import clock, errors, tasks
from ciranda.kernel.database import Database
from ciranda.loop import advance, benches, changes, pins, refresh
from ciranda.loop.changes import Change
from ciranda.loop.places import Workshop
from ciranda.loop.tell import Teller
from ciranda.pipeline import engine
from ciranda.pipeline.records import Version
from ciranda.release import releases
from ciranda.versions import repositories
from support.git import Clone, new_clone

PIPELINE = """
from ciranda import dataset

@dataset
def words(raw: str) -> list:
    return raw.split()
"""
ACTOR = "ana"


@dataclass
class Site:
    """A home with one project whose source lies outside; `main` stands at its commit."""

    places: Workshop
    clone: Clone
    bare: Path
    raw: Path

    @property
    def database(self) -> Database:
        return self.places.database

    @property
    def head(self) -> str:
        return repositories.read_ref(self.bare, "refs/heads/main") or changes.NOTHING

    def commit(self, more: str = "", *, to: str = "refs/heads/main", **files: str) -> str:
        toml = f'[project]\nname = "toy"\npipeline = "pipeline.py"\n[sources.raw]\nfiles = "{self.raw}"\n{more}\n'
        made = self.clone.commit("Next", {"ciranda.toml": toml, "pipeline.py": PIPELINE, **files})
        self.carry(to)
        return made

    def carry(self, to: str = "refs/heads/main") -> None:
        """What the clone stands at, as a ref of the server."""
        subprocess.run(["git", "-C", self.bare, "fetch", "-q", self.clone.path, f"+HEAD:{to}"], check=True)

    def look(self) -> list[str]:
        """Look at the references as the runner does; what was said."""
        task = tasks.claim(self.database, worker="1:1:x", kinds=[refresh.KIND], lease=60.0)
        assert task is not None
        try:
            refresh.perform(task, self.places)
        except errors.CirandaError as error:
            refresh.give_up(task, self.places, str(error))
        return self.said(task.id)

    def refresh(self) -> list[str]:
        refresh.ask(self.places, "toy", actor=ACTOR)
        return self.look()

    def said(self, change: str) -> list[str]:
        return [str(record["text"]) for record in Teller(self.places.lines, change).records() if record.get("text")]

    def judge(self, change: Change, state: changes.State = "passed") -> Change:
        """What a judge does, without its checks: run the pipeline, and record what it was judged on."""
        bench = benches.prepare(
            change, self.places, self.places.runs / clock.uuid7(), Teller(self.places.lines, change.id)
        )
        made = engine.run(benches.request(bench, self.places), benches.parts(self.places), lambda _: None)
        assert made.problem is None, made.problem
        outcome = {
            "width": 8, "interpreter": made.interpreter, "parameters": {}, "policy": "b3:p",
            "assets": {name: asdict(version) for name, version in made.assets.items()},
            "pins": pins.of_run(bench.project.sources, made.assets), "live": {},
        }  # fmt: skip
        now = self.now(change)
        self.database.write(lambda tx: changes.move(tx, now, state, outcome=outcome))
        return self.now(change)

    def now(self, change: Change) -> Change:
        found = changes.get(self.database, change.id)
        assert found is not None
        return found

    def push(self, head: str) -> Change:
        """A push that is recorded."""
        number = self.database.write(lambda tx: changes.take_number(tx, "toy"))
        return self.database.write(
            lambda tx: changes.record(
                tx, number=number, repository="toy", project="toy", ref="refs/heads/main", base=self.head, head=head,
                subject="x", actor=ACTOR, accepts=False,
            )
        )  # fmt: skip

    def data(self) -> Change:
        found = changes.open_data(self.database, "toy")
        assert found is not None
        return found

    def land(self, change: Change) -> Change:
        """Advance until it is somewhere that waits for others."""
        while self.now(change).state in ("passed", "merging"):
            assert advance.advance(self.now(change), self.places)
        return self.now(change)

    def deliver(self, change: Change) -> tuple[str, str]:
        """Advance to the end, as if prod were reached whenever it is asked for: the release, and what prod runs then."""
        for _ in range(10):
            advance.advance(self.now(change), self.places)
            wanted = revisions.current(self.database, "toy", "prod")
            if wanted is not None and wanted.state == "target":
                self.database.write(lambda tx, of=wanted: moves.end(tx, of, "reached", actor="ciranda"))
        ended = self.now(change)
        assert ended.state == "settled"
        live = revisions.live(self.database, "toy", "prod")
        assert ended.release is not None
        assert live is not None
        names = [releases.by_id(self.database, each).name for each in (ended.release, live.release)]
        return names[0], names[1]

    def pinned(self) -> bytes:
        """The listing that the branch last passed with."""
        return self.places.store.get(pins.current(self.database, "toy")["raw"].version.digest)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    home = homes.Home(tmp_path / "home")
    homes.create(home)
    raw = tmp_path / "outside" / "raw.txt"
    raw.parent.mkdir()
    raw.write_text("a")
    with homes.opened(home) as (database, store):
        places = Workshop(
            database, store, home.repositories, home.lines, home.interpreters, home.runs, home.trees, home.root,
            lambda: "http://127.0.0.1",
        )  # fmt: skip
        made = Site(places, new_clone(tmp_path / "clone"), repositories.ensure(home.repositories, "toy"), raw)
        made.commit()
        database.write(lambda tx: changes.claim_project(tx, "toy", "toy", "refs/heads/main"))
        yield made


def first(site: Site) -> None:
    """The branch has passed with "a"."""
    site.refresh()
    assert site.land(site.judge(site.data())).state == "merged"


def test_what_is_new_becomes_a_change_of_the_same_commit_once(site: Site) -> None:
    first(site)
    assert b'raw.txt",1,"b3:' in site.pinned()
    assert "nothing new: raw (1 file)" in site.refresh()
    site.raw.write_text("a b")
    said = site.refresh()
    change = site.data()
    assert (change.kind, change.base, change.head, change.actor) == ("data", site.head, site.head, ACTOR)
    assert change.subject == "New data: raw"
    assert any("raw" in line and "1 file, 3 bytes" in line for line in said)
    site.raw.write_text("a b c")
    assert any("takes in new data already" in line for line in site.refresh())
    site.land(site.judge(change))
    assert b'raw.txt",3,"b3:' in site.pinned(), "what the change was judged on, not what came after it"


def test_data_that_becomes_again_what_it_was_brings_the_old_release_back(site: Site) -> None:
    site.commit("[environments.prod]")
    found = []
    for text in ("a", "a b", "a"):
        site.raw.write_text(text)
        site.refresh()
        change = site.judge(site.data())
        found.append(site.deliver(change))
    assert found == [("r1", "r1"), ("r2", "r2"), ("r1", "r1")]


def test_a_push_is_judged_on_what_the_branch_last_passed_with(site: Site) -> None:
    first(site)
    site.raw.write_text("a b")
    landed = site.land(site.judge(site.push(site.commit(to="refs/carried/x", notes_txt="more"))))
    assert landed.state == "merged"
    assert b'raw.txt",1,' in site.pinned()


def test_a_push_that_was_judged_before_new_data_landed_is_judged_again(site: Site) -> None:
    first(site)
    push = site.judge(site.push(site.commit(to="refs/carried/x", notes_txt="more")))
    site.raw.write_text("a b")
    site.refresh()
    data = site.land(site.judge(site.data()))
    assert data.state == "merged"

    assert site.land(push).state == "recorded"
    assert any("new data of raw came in meanwhile: judged again" in line for line in site.said(push.id))
    again = site.land(site.judge(site.now(push)))
    assert again.state == "merged"
    assert again.outcome["assets"]["raw"] == data.outcome["assets"]["raw"], "the release has the news of both"


@pytest.mark.parametrize("state", ["passed", "merging"])
def test_new_data_that_was_judged_before_a_push_landed_is_judged_at_its_commit(
    site: Site, state: changes.State
) -> None:
    first(site)
    site.raw.write_text("a b")
    site.refresh()
    data = site.judge(site.data(), state)
    push = site.land(site.judge(site.push(site.commit(to="refs/carried/x", notes_txt="more"))))
    assert push.state == "merged"

    moved = site.land(data)
    assert (moved.state, moved.base, moved.head) == ("recorded", push.head, push.head)
    assert any(f"main has moved on to {push.short}: judged again" in line for line in site.said(data.id))
    landed = site.land(site.judge(moved))
    assert (landed.state, landed.head) == ("merged", push.head)
    assert b'raw.txt",3,' in site.pinned()


def test_a_push_that_landed_before_a_crash_stays_landed(site: Site) -> None:
    first(site)
    push = site.judge(site.push(site.commit(to="refs/carried/x", notes_txt="more")), "merging")
    repositories.update_ref(site.bare, push.ref, push.head, push.base)
    site.raw.write_text("a b")
    site.refresh()
    data = site.judge(site.data())
    assert site.land(data).state == "merged", "its commit is that of the push already"
    assert site.land(push).state == "merged"


def test_a_source_that_lies_elsewhere_now_is_listed_by_the_push(site: Site) -> None:
    first(site)
    site.raw = site.raw.with_name("other.txt")
    site.raw.write_text("z z z")
    site.land(site.judge(site.push(site.commit(to="refs/carried/x"))))
    assert b'other.txt",5,' in site.pinned()


def test_a_reference_that_is_away_leaves_the_data_as_it_was(site: Site) -> None:
    first(site)
    site.raw.unlink()
    said = site.refresh()
    assert said[-1].startswith("the data stays as it was: the source raw cannot be had")
    assert changes.open_data(site.database, "toy") is None
    assert b'raw.txt",1,' in site.pinned()


def test_what_has_no_references_is_refused_with_the_next_command(site: Site) -> None:
    site.clone.commit("None", {"ciranda.toml": '[project]\nname = "toy"\n'})
    site.carry()
    with pytest.raises(errors.Refused, match="no source that lies outside") as caught:
        refresh.ask(site.places, "toy", actor=ACTOR)
    assert "git push" in caught.value.hint
    with pytest.raises(errors.NotFound, match="never pushed"):
        refresh.ask(site.places, "other", actor=ACTOR)


def test_a_schedule_looks_once_for_all_times_that_were_missed(site: Site) -> None:
    site.commit('schedule = "* * * * *"')
    first(site)
    sweep = refresh.Sweep(site.places)
    sweep.look()
    assert tasks.claim(site.database, worker="1:1:x", kinds=[refresh.KIND], lease=60.0) is None, "from now on"
    hour_ago = clock.now_us() - 3_600_000_000
    site.database.write(lambda tx: tx.execute("UPDATE source_look SET looked_us = :us", us=hour_ago))
    for _ in range(3):
        sweep.look()
    site.raw.write_text("a b")
    site.look()
    assert site.data().actor == refresh.SCHEDULE
    assert tasks.claim(site.database, worker="1:1:x", kinds=[refresh.KIND], lease=60.0) is None

    site.judge(site.data(), "refused")
    site.database.write(lambda tx: tx.execute("UPDATE source_look SET looked_us = :us", us=hour_ago))
    sweep.look()
    assert "nothing new since what was refused" in site.look()[-1], "a schedule does not ask the gate twice"
    assert any("New data" in line for line in site.refresh()), "somebody may"


def test_pins_are_lost_to_nobody_who_was_judged_on_them() -> None:
    def pin(place: str, digest: str) -> pins.Pin:
        return pins.Pin(place, Version("raw", digest, "k", "reference", 1, "source"))

    judged = {"a": pin("/a", "1"), "b": pin("/b", "1"), "c": pin("/c", "1")}
    now = {"a": pin("/a", "2"), "b": pin("/elsewhere", "2"), "d": pin("/d", "9")}
    assert pins.overtaken(judged, now) == ["a"]
    assert pins.parse(json.loads(json.dumps(pins.told(judged)))) == judged
