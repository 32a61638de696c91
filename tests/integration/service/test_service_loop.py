"""Keeper, gateway, supervisor and toy instances, all real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.kernel import confine
from support import service as support


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[support.Stage]:
    with support.stage(tmp_path) as made:
        yield made


@pytest.mark.parametrize("form", ["predict", "command"])
def test_an_instance_is_started_routed_answers_and_is_stopped(stage: support.Stage, form: str) -> None:
    with support.supervising(stage) as watcher:
        name = watcher.start(stage.spec(form=form))
        found = support.healthy(watcher, name)
        assert found[name].confined == bool(confine.available())
        assert found[name].spec == stage.spec(form=form).digest
        watcher.route("flights", "prod", [support.route(found)])
        assert watcher.routed("flights", "prod") == [support.route(found)]
        status, headers, body = stage.get("/flights/prod/delays/x?y=1")
        assert (status, headers["x-ciranda-release"]) == (200, "r1")
        assert body.endswith(b"/x?y=1 ")
        assert headers["x-request-id"]
        watcher.route("flights", "prod", [])
        assert stage.get()[0] == 404
        watcher.stop(name)
        support.until(lambda: watcher.observe()[0].state == "exited")
        assert watcher.observe()[0].exit == "exit 0"
        watcher.forget(name)
        assert watcher.observe() == []
