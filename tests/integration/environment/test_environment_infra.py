"""Real Terraform against our backend: planned, applied, drifted, locked, killed and destroyed."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ciranda.environment import clone, moves, plans, revisions, saved_plans, secrets, settings
from ciranda.environment.infra import places, program, runs, states
from ciranda.kernel import errors, events
from ciranda.loop import infra_asking
from ciranda.loop.changes import Change
from ciranda.release import releases
from ciranda.release.manifest import Manifest
from support.server import eventually
from support.terraform import FILE, MAIN, SECOND, TOML, Ground, ground


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path) as found:
        yield found


def told(site: Ground, kind: str) -> list[dict[str, Any]]:
    return [event.body for event in events.after(site.database, 0) if event.kind == kind]


def last(site: Ground) -> runs.Run:
    return runs.history(site.database, "toy", "prod", 1)[0]


def acts(folder: Path) -> list[str]:
    path = folder / "acts"
    return path.read_text().splitlines() if path.exists() else []


def world(site: Ground) -> Path:
    """Where the resources of the toy provider are: Terraform can write there, confined or not."""
    folder = site.home.root / program.FOLDER / "plugins" / "world"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_what_is_planned_is_applied_and_its_outputs_are_configuration_and_secrets(site: Ground) -> None:
    first = site.release({"infra/main.tf": MAIN})
    unplanned = site.plan(first)
    assert unplanned.parts[-1].reasons == ("not planned yet",) or "not planned yet" in str(unplanned.parts)
    with pytest.raises(errors.Refused, match="was not planned yet"):
        site.apply(first)
    with pytest.raises(errors.Refused, match="was not planned yet"):
        site.database.write(lambda tx: plans.approve(tx, unplanned, actor="ana"))
    planned = site.planned(first)
    assert [(part.name, part.sign) for part in planned.parts if part.kind == "infra"] == [
        ("terraform_data.database", "add")
    ]
    assert {part.after for part in planned.parts if part.name == "DB_HOST"} == {"known after apply"}
    assert planned.digest == site.planned(first, again=True).digest  # asked again, it is the same plan
    made = site.apply(first)
    assert made.infra["run"]
    assert not runs.get(site.database, made.infra["run"]).over
    site.work()
    target = revisions.by_id(site.database, made.id)
    assert target.config["DB_HOST"].value == "db-1"
    assert target.config["DB_HOST"].layer == "infra"
    assert target.infra["serial"] == states.serial(site.database, "toy", "prod") == 1
    assert [body["resources"] for body in told(site, "infra.applied")] == [1]
    password = secrets.unsealed(site.database, site.key, "toy", "prod", {"DB_PASSWORD": 1})["DB_PASSWORD"]
    assert password.startswith(b"pw-")
    site.reach(made)
    assert site.plan(first).empty
    where = [path for path in site.home.root.rglob("*") if path.is_file() and password in path.read_bytes()]
    assert where == []  # neither the ledger, nor the store, nor a line


def test_what_the_server_says_wins_over_an_output_and_a_wrong_type_is_refused(site: Ground) -> None:
    wrong = TOML.replace('default = "nowhere"', 'type = "int"\n    default = 1')
    release = site.release({"infra/main.tf": MAIN}, wrong)
    site.planned(release)
    made = site.apply(release)
    site.work()
    run = last(site)
    assert run.state == "failed"
    assert "it was applied, but the infrastructure gives db_host as text" in run.reason
    assert revisions.by_id(site.database, made.id).infra["run"] == run.id
    place = places.get(site.database, "toy", "prod")
    assert place is not None
    assert place.resources == 1  # what was applied is recorded all the same


def test_a_plan_whose_state_has_moved_on_is_stale(site: Ground, tmp_path: Path) -> None:
    release = site.release({"infra/main.tf": MAIN})
    planned = site.planned(release)
    name = site.database.write(lambda tx: plans.save(tx, planned, actor="ana"))
    own = site.own(tmp_path / "own", 'resource "terraform_data" "other" {}\n')
    assert own.run("apply", "-auto-approve", "-input=false").returncode == 0
    assert [body["serial"] for body in told(site, "infra.written")] == [1]
    read = plans.reader(site.workshop.store)
    with pytest.raises(errors.Stale, match="config and infra of prod are other now"):
        plans.again(site.database, read, saved_plans.find(site.database, name))


def test_what_destroys_something_asks_somebody(site: Ground) -> None:
    site.live(site.release({"infra/main.tf": MAIN}))
    other = site.release(
        {
            "infra/main.tf": MAIN.replace("input =", "triggers_replace = 2\n      input =")
            .replace("{ tr", "{\n tr")
            .replace('SIZE}" }', 'SIZE}"\n    }')
        }
    )
    planned = site.planned(other)
    assert planned.needed == 1
    assert [part.reasons[0] for part in planned.parts if part.kind == "infra"] == ["is destroyed and made anew"]
    with pytest.raises(errors.Refused, match="prod needs 1 approval of the plan"):
        site.apply(other)


def test_a_folder_without_another_resource_needs_no_run(site: Ground) -> None:
    site.live(site.release({"infra/main.tf": MAIN}))
    other = site.release({"infra/main.tf": "# said\n" + MAIN.replace("    variable", "variable", 1)})
    assert site.planned(other).resolved.infra is not None
    made = site.apply(other)
    assert "run" not in made.infra
    site.reach(made)
    assert site.plan(other).empty


def test_a_rollback_keeps_what_there_is_and_the_rest_is_a_plan(site: Ground) -> None:
    first = site.release({"infra/main.tf": MAIN})
    site.live(first)
    site.live(site.release({"infra/main.tf": MAIN.replace("db-$", "new-$")}))
    _, back = site.database.write(lambda tx: moves.rollback(tx, "toy", "prod", actor="ana"))
    assert back.config["DB_HOST"].value == "new-1"
    assert back.infra["serial"] == 2
    site.reach(back)
    assert site.plan(first).resolved.infra.state == "unplanned"  # type: ignore[union-attr]
    planned = site.planned(first)
    assert [part.name for part in planned.changes] == ["DB_HOST", "terraform_data.database"]
    made = site.apply(first)  # though it is held: it is the release that is there
    site.work()
    assert revisions.by_id(site.database, made.id).config["DB_HOST"].value == "db-1"


def test_drift_is_told_once_and_so_is_its_end(site: Ground) -> None:
    folder = world(site)
    site.live(site.release({"infra/main.tf": FILE % {"folder": folder, "content": "as declared"}}))
    (folder / "one").write_text("by hand")
    site.infra.drift("toy", "prod", actor="ana")
    site.work()
    place = places.get(site.database, "toy", "prod")
    assert place is not None
    site.database.write(lambda tx: places.looked(tx, "toy", "prod", place.drift))  # still so
    assert [(one.address, one.attributes) for one in place.drift] == [
        ("toy_file.one", ("content as declared → by hand",))
    ]
    assert [body["resources"] for body in told(site, "infra.drifted")] == [1]
    mended = site.planned(releases.get(site.database, "toy", "r1"), again=True)
    assert [part.reasons for part in mended.changes] == [("content by hand → as declared",)]
    site.apply(releases.get(site.database, "toy", "r1"))
    site.work()
    assert (folder / "one").read_text() == "as declared"
    for _ in range(2):
        site.database.write(lambda tx: places.looked(tx, "toy", "prod", ()))
    assert len(told(site, "infra.settled")) == 1


def test_a_failure_half_way_is_recorded_and_the_old_release_stays(site: Ground) -> None:
    folder = world(site)
    made_of = site.release({"infra/main.tf": (FILE + SECOND) % {"folder": folder, "content": "fine", "second": "fail"}})
    site.planned(made_of)
    site.apply(made_of)
    site.work()
    run = last(site)
    assert run.reason == "1 of 2 changes were made before it failed: It cannot be: The content says fail"
    assert run.serial == 1
    assert states.lock_of(site.database, "toy", "prod") is None
    place = places.get(site.database, "toy", "prod")
    assert place is not None
    assert place.resources == 1
    assert revisions.live(site.database, "toy", "prod") is None
    assert [body["resources"] for body in told(site, "infra.failed")] == [1]


def test_of_two_at_once_one_has_the_lock_and_the_other_is_told_who(site: Ground, tmp_path: Path) -> None:
    folder = world(site)
    release = site.release({"infra/main.tf": FILE % {"folder": folder, "content": "ours"}})
    site.planned(release)
    slow = FILE.replace('"%(content)s"', '"theirs"\n      waits_for = "%(folder)s/go"')
    own = site.own(tmp_path / "own", slow % {"folder": folder})
    theirs = own.start("apply", "-auto-approve", "-input=false")
    eventually(lambda: acts(folder), "it has begun")
    site.apply(release)
    site.work()
    assert "Error acquiring the state lock" in last(site).reason
    assert "Who:" in last(site).reason
    lock = states.lock_of(site.database, "toy", "prod")
    assert lock is not None
    assert not lock.run
    (folder / "go").touch()
    assert theirs.wait(60) == 0
    assert states.lock_of(site.database, "toy", "prod") is None
    assert acts(folder) == ["create one"]


def _slow(site: Ground, folder: Path) -> runs.Run:
    """A run whose Terraform is in the middle of its second change."""
    release = site.release({"infra/main.tf": (FILE + SECOND) % {"folder": folder, "content": "fine", "second": "x"}})
    site.planned(release)
    site.apply(release)
    return last(site)


def _children(pid: int, name: str) -> list[int]:
    """The processes below one whose command line has this name."""
    told = subprocess.run(["ps", "-eo", "pid,ppid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in told.splitlines()[1:]]
    below, found = {pid}, []
    for _ in rows:
        more = {int(own) for own, parent, _ in rows if int(parent) in below} - below
        below |= more
        if not more:
            break
    for own, _, command in rows:
        if int(own) in below and name in command and "bwrap" not in command and "runner" not in command:
            found.append(int(own))
    return found


@pytest.mark.parametrize("victim", ["task", "terraform"])
def test_killed_in_the_middle_the_state_is_whole_and_nothing_is_done_twice(site: Ground, victim: str) -> None:
    folder = world(site)
    run = _slow(site, folder)
    task = site.claim()
    assert task is not None
    child = site.process(task)
    eventually(lambda: acts(folder) == ["create one", "create two"], "it is in the middle")
    assert states.lock_of(site.database, "toy", "prod") is not None
    if victim == "task":
        child.kill()
        child.wait()
        (folder / "go").touch()
        task = site.again(task)
        child = site.process(task)
    else:
        os.kill(_children(child.pid, " apply ")[0], signal.SIGKILL)
        (folder / "go").touch()
    assert child.wait(90) == 0
    ended = runs.get(site.database, run.id)
    assert ended.state == "failed", ended
    assert states.lock_of(site.database, "toy", "prod") is None
    assert acts(folder) == ["create one", "create two"]
    assert list(site.home.runs.glob("infra-*")) == []
    again = site.planned(releases.get(site.database, "toy", "r1"))
    assert not again.empty


def test_a_runner_that_leaves_lets_terraform_finish_what_it_does(site: Ground) -> None:
    folder = world(site)
    run = _slow(site, folder)
    task = site.claim()
    assert task is not None
    child = site.process(task)
    eventually(lambda: acts(folder) == ["create one", "create two"], "it is in the middle")
    child.terminate()
    (folder / "go").touch()
    assert child.wait(90) == 0
    site.infra.look()
    site.process(site.again(task)).wait(90)
    assert runs.get(site.database, run.id).state == "done"
    assert states.latest(site.database, "toy", "prod").resources == 2  # type: ignore[union-attr]
    assert acts(folder) == ["create one", "create two"]


def test_a_state_that_found_no_backend_is_taken_from_beside_the_files(
    site: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(program.RETRIES, "TF_HTTP_RETRY_MAX", "0")

    def away(*_: object, **__: object) -> None:
        raise errors.Unreachable("control is away")

    release = site.release({"infra/main.tf": MAIN})
    site.planned(release)
    site.apply(release)
    monkeypatch.setattr("ciranda.app.infra.Infra.keep", away)
    site.work()
    run = last(site)
    assert run.state == "failed"
    assert states.latest(site.database, "toy", "prod").resources == 1  # type: ignore[union-attr]
    assert states.lock_of(site.database, "toy", "prod") is None


def test_what_is_destroyed_goes_after_its_services(site: Ground) -> None:
    site.live(site.release({"infra/main.tf": MAIN}))
    planned = site.planned(None)
    assert [(part.name, part.sign) for part in planned.parts if part.kind == "infra"] == [
        ("terraform_data.database", "remove")
    ]
    gone = site.apply(None)
    site.infra.look()
    assert site.work() == 0  # its services are still there
    site.reach(gone)
    site.infra.look()
    assert site.work() == 1
    assert places.get(site.database, "toy", "prod") is None
    assert states.latest(site.database, "toy", "prod").resources == 0  # type: ignore[union-attr]
    assert len(told(site, "infra.destroyed")) == 1
    assert site.plan(None).empty


def test_drift_is_looked_for_by_the_clock(site: Ground) -> None:
    site.live(site.release({"infra/main.tf": MAIN}))
    site.infra.look()
    assert site.work() == 0
    site.database.write(lambda tx: tx.execute("UPDATE infra_place SET applied_us = 0"))
    for _ in range(3):
        site.infra.look()
    assert site.work() == 1
    assert (last(site).kind, last(site).actor) == ("drift", "schedule")


def test_what_terraform_cannot_read_is_told_with_its_place(site: Ground) -> None:
    release = site.release({"infra/main.tf": 'resource "terraform_data" "x" { nothing = 1 }\n'})
    site.planned(release)
    assert last(site).reason.startswith("main.tf line 1: Unsupported argument: ")
    with pytest.raises(errors.Refused, match=r"could not be planned: main\.tf line 1"):
        site.apply(release)
    content = releases.manifest(site.workshop.store, release)
    for since_us, told in ((0, "infra could not be planned: main.tf line 1"), (last(site).queued_us + 1, "")):
        change = cast(Change, SimpleNamespace(recorded_us=since_us))
        assert infra_asking.unplannable(site.workshop, change, release, content, "prod").startswith(told)
    assert bool(infra_asking.unplannable(site.workshop, change, release, content, "prod")) is False  # it is tried again


def test_a_clone_has_nothing_of_the_infrastructure_of_what_is_cloned(site: Ground) -> None:
    named = TOML.replace('infra = "infra/"', 'infra = "infra/"\n    secrets = ["DB_PASSWORD"]')
    site.live(site.release({"infra/main.tf": MAIN}, named))

    def read(release: str) -> Manifest:
        return releases.manifest(site.workshop.store, releases.by_id(site.database, release))

    def cloned() -> revisions.Revision:
        return site.database.write(
            lambda tx: clone.clone(tx, "toy", "prod", "staging", read=read, key=site.key, actor="ana")
        )[1]

    with pytest.raises(errors.Refused, match="secrets that are not set for staging: DB_PASSWORD"):
        cloned()
    site.database.write(
        lambda tx: secrets.put(tx, site.key, "toy", "staging", "DB_PASSWORD", b"of staging", actor="ana")
    )
    made = cloned()
    assert made.config["DB_HOST"] == revisions.Value("nowhere", "default")
    assert settings.values(site.database, "toy", "staging") == {}
    assert made.infra == {}
    assert secrets.unsealed(site.database, site.key, "toy", "staging", made.secrets) == {"DB_PASSWORD": b"of staging"}
