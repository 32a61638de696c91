"""An environment of real processes: keeper, gateway, instances, and the loop as a process that is killed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ciranda.environment import moves, revisions
from ciranda.kernel import database, migrations
from ciranda.kernel.store import Store
from support import service
from support.environment import Site

TESTS = Path(__file__).parents[2]
DECLARED = {"command": "python -I toy.py"}


@dataclass
class Scene:
    """A home with a server, whose loop is started and killed by the test."""

    stage: service.Stage
    site: Site
    url: str

    @contextlib.contextmanager
    def loop(self, failpoint: str = "") -> Iterator[subprocess.Popen[bytes]]:
        """The loop of prod as a process."""
        with open(self.stage.root / "loop.log", "ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "support.environment_loop", self.url, str(self.stage.sockets), str(self.stage.home)],
                env=os.environ | {"PYTHONPATH": str(TESTS)} | ({"CIRANDA_FAILPOINT": failpoint} if failpoint else {}),
                stdin=subprocess.DEVNULL,
                stderr=log,
            )  # fmt: skip
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def ended(self, revision: revisions.Revision, seconds: float = 30.0) -> revisions.Revision:
        """The revision at its end."""
        with contextlib.suppress(AssertionError):
            service.until(lambda: self.now(revision).state != "target", seconds=seconds)
        found = self.now(revision)
        assert found.state != "target", (self.stage.root / "loop.log").read_text()
        return found

    def now(self, revision: revisions.Revision) -> revisions.Revision:
        return revisions.by_id(self.site.database, revision.id)

    def answers(self) -> str:
        return self.stage.get()[1].get("x-ciranda-release", "")

    def instances(self) -> dict[str, dict[str, object]]:
        return {name: one for name, one in self.stage.children().items() if one["role"] == "instance"}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with service.stage(tmp_path) as stage:
        url = f"sqlite:///{stage.home}/ledger.db"
        opened = database.open(url, stage.sockets)
        migrations.migrate(opened, ["ciranda.kernel", "ciranda.release", "ciranda.environment"])
        yield Scene(stage, Site(opened, Store(stage.home / "store"), stage.home), url)
        opened.close()


def test_swap_scale_rollback_and_crash_under_load_fail_no_request(scene: Scene) -> None:
    with scene.loop():
        assert scene.ended(scene.site.target("c1", services={"delays": 2}, **DECLARED)).state == "reached"
        with service.Load(scene.stage.ports["gateway"]) as load:
            assert scene.ended(scene.site.target("c2", services={"delays": 2}, **DECLARED)).state == "reached"
            assert scene.answers() == "r2"
            scaled = scene.site.database.write(
                lambda tx: moves.scale(tx, "flights", "prod", service="delays", count=3, actor="ana")
            )
            assert scene.ended(scaled).state == "reached"
            assert len(scene.instances()) == 5
            _, back = scene.site.database.write(lambda tx: moves.rollback(tx, "flights", "prod", actor="ana"))
            assert scene.ended(back).state == "reached"
            load.more(20)
        assert load.failed == []
        assert load.releases == {"r1", "r2"}
        victim = next(name for name in scene.instances() if "-r1-" in name)
        os.kill(int(scene.instances()[victim]["identity"]["pid"]), signal.SIGKILL)  # type: ignore[index, call-overload]
        service.until(lambda: victim not in scene.instances() and len(scene.instances()) == 6)
        assert scene.answers() == "r1"


@pytest.mark.parametrize("commit", ["never", "dies"])
def test_a_service_that_cannot_live_leaves_the_old_one(scene: Scene, commit: str) -> None:
    with scene.loop():
        scene.ended(scene.site.target("c1", **DECLARED))
        with service.Load(scene.stage.ports["gateway"]) as load:
            bad = scene.ended(scene.site.target(commit, **DECLARED))
            service.until(lambda: len(scene.instances()) == 1)
            load.more(20)
    assert bad.state == "failed"
    assert {"never": "delays failed 3 times: exit 1: no luck", "dies": "delays died"}[commit] in bad.reason
    assert scene.answers() == "r1"
    assert [one for one in load.failed if commit == "never"] == []
    assert set(load.failed) <= {"502", "503"}


def test_a_loop_that_is_killed_at_any_point_loses_no_request_and_converges(scene: Scene) -> None:
    with scene.loop():
        scene.ended(scene.site.target("c0", **DECLARED))
    with service.Load(scene.stage.ports["gateway"], clients=2) as load:
        for number, point in enumerate(("observed:2", "prepared", "started", "routed", "marked", "marked:2"), start=1):
            made = scene.site.target(f"c{number}", **DECLARED)
            with scene.loop(f"reconcile.{point}") as process:
                assert process.wait(20) == -signal.SIGKILL
            with scene.loop():
                assert scene.ended(made).state == "reached", point
                service.until(lambda n=number: scene.answers() == f"r{n + 1}")
    assert load.failed == []
