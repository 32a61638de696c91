"""Keeper, gateway, supervisor and toy instances, all real."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.kernel import confine, errors, process
from ciranda.service import counters, logs, supervisor, table
from support import service as support


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[support.Stage]:
    with support.stage(tmp_path) as made:
        yield made


@pytest.fixture
def watcher(stage: support.Stage) -> Iterator[supervisor.Supervisor]:
    with support.supervising(stage) as made:
        yield made


@pytest.mark.parametrize("form", ["predict", "command"])
def test_an_instance_is_started_routed_answers_and_is_stopped(
    stage: support.Stage, watcher: supervisor.Supervisor, form: str
) -> None:
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
    assert list((stage.home / "state/specs").iterdir()) == []
    assert not [entry for entry in stage.sockets.iterdir() if entry.name.isdigit()]


@pytest.mark.parametrize(
    ("language", "program"),
    [
        (
            "node",
            "require('http').createServer((q, r) => r.end('node ' + q.url)).listen(process.env.PORT, '127.0.0.1');"
            "process.on('SIGTERM', () => process.exit(0))",
        ),
        (
            "perl",
            "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalAddr=>'127.0.0.1', LocalPort=>$ENV{PORT}, Listen=>9,"
            " ReuseAddr=>1); while (my $c = $s->accept) { my $l = <$c>; while (<$c>) { last if /^\\r$/ }"
            ' print $c "HTTP/1.0 200 OK\\r\\n\\r\\nperl $l"; close $c }',
        ),
    ],
)
def test_a_command_in_another_language_is_an_instance(
    stage: support.Stage, watcher: supervisor.Supervisor, language: str, program: str
) -> None:
    where = shutil.which(language)
    if where is None:
        pytest.skip(f"{language} is not here")
    name = watcher.start(stage.spec(form="command", argv=(where, "-e", program)))
    watcher.route("flights", "prod", [support.route(support.healthy(watcher, name))])
    status, _, body = stage.get("/flights/prod/delays/hello")
    assert (status, body[: len(language)]) == (200, language.encode())
    assert b"/hello" in body


def test_releases_swap_under_load_and_nothing_fails(stage: support.Stage, watcher: supervisor.Supervisor) -> None:
    old: list[str] = []
    with contextlib.ExitStack() as stack:
        for number in range(1, 7):
            release = f"r{number}"
            new = [watcher.start(stage.spec(release, form="command" if number % 2 else "predict")) for _ in range(2)]
            watcher.route("flights", "prod", [support.route(support.healthy(watcher, *new), release)])
            if number == 1:
                load = stack.enter_context(support.Load(stage.ports["gateway"]))
            for name in old:
                watcher.stop(name)
            load.more(50)
            old = new
        support.until(lambda: sum(one.state == "exited" for one in watcher.observe()) == 10)
    assert load.failed == []
    assert load.releases == {f"r{number}" for number in range(1, 7)}
    assert {one.exit for one in watcher.observe() if one.state == "exited"} == {"exit 0"}
    counted = counters.read(stage.home / "state/counters")
    prefix = "/flights/prod/delays"
    assert sum(counted[prefix, f"r{number}"].classes[1] for number in range(1, 7)) == load.answered


def test_a_killed_instance_is_seen_and_the_others_answer(stage: support.Stage, watcher: supervisor.Supervisor) -> None:
    names = [watcher.start(stage.spec()) for _ in range(2)]
    watcher.route("flights", "prod", [support.route(support.healthy(watcher, *names))])
    child = stage.children()[names[0]]
    os.kill((child["inner"] or child["identity"])["pid"], signal.SIGKILL)
    answers = [stage.get()[0] for _ in range(20)]
    assert answers == [200] * 20
    support.until(lambda: {one.id: one.exit for one in watcher.observe()}[names[0]] == "signal 9")
    assert {one.id: one.state for one in watcher.observe()}[names[1]] == "healthy"


def test_a_killed_gateway_comes_back_with_its_routes(stage: support.Stage, watcher: supervisor.Supervisor) -> None:
    name = watcher.start(stage.spec())
    watcher.route("flights", "prod", [support.route(support.healthy(watcher, name))])
    with support.Load(stage.ports["gateway"], clients=3) as load:
        load.more(30)
        for _ in range(2):
            pid = stage.pid("gateway")
            stage.kill("gateway")
            stage.again("gateway", pid)
            load.more(30)
    assert len(load.failed) <= 2 * 3  # one in flight a client and kill
    assert not [failure for failure in load.failed if failure.isdigit() or "refused" in failure.lower()]


def test_a_killed_keeper_is_followed_by_one_that_adopts_everything(
    stage: support.Stage, watcher: supervisor.Supervisor
) -> None:
    names = [watcher.start(stage.spec(form=form)) for form in ("predict", "command")]
    watcher.route("flights", "prod", [support.route(support.healthy(watcher, *names))])
    before = stage.children()
    ports = dict(stage.ports)
    with support.Load(stage.ports["gateway"], clients=2) as load:
        support.until(lambda: load.answered > 20)
        stage.kill("keeper")
        with pytest.raises(errors.Unreachable):
            watcher.observe()
        assert stage.get()[0] == 200
        stage.ports = {}
        stage.up()
        assert stage.get()[0] == 200
        stage.kill("gateway")  # its listening socket is the new keeper's too
        stage.again("gateway", before["gateway"]["identity"]["pid"])
        assert stage.get()[0] == 200
        failed = len(load.failed)
        assert failed <= 2, load.failed  # in flight at the gateway's death
    assert stage.ports == ports
    after = stage.children()
    for name in (*names, "control", "runner"):
        assert after[name]["identity"] == before[name]["identity"]
    assert {one.state for one in watcher.observe()} == {"healthy"}
    child = after[names[0]]
    os.kill((child["inner"] or child["identity"])["pid"], signal.SIGKILL)
    support.until(lambda: {one.id: one.exit for one in watcher.observe()}[names[0]] == "unknown")
    watcher.stop(names[1])
    support.until(lambda: {one.id: one.state for one in watcher.observe()}[names[1]] == "exited")


def test_when_keeper_and_gateway_are_both_killed_the_next_keeper_begins_anew(stage: support.Stage) -> None:
    control, gateway = stage.pid("control"), stage.pid("gateway")
    stage.kill("keeper")
    os.kill(gateway, signal.SIGKILL)
    support.until(lambda: process.of(gateway) is None)
    stage.up()  # on the same ports, of which control held one
    assert stage.pid("control") != control
    assert process.of(control) is None
    assert stage.get()[0] == 404


@pytest.mark.parametrize("point", ["keeper.spawned", "keeper.recorded"])
def test_a_keeper_that_dies_as_it_starts_an_instance_leaves_no_stranger(tmp_path: Path, point: str) -> None:
    token = tmp_path / "once"
    # the three roles are spawned first
    with support.stage(tmp_path, CIRANDA_FAILPOINT=f"{point}:4", CIRANDA_FAILPOINT_FILE=str(token)) as stage:
        token.touch()
        with support.supervising(stage) as watcher:
            with pytest.raises(errors.Unreachable):
                watcher.start(stage.spec())
            assert stage.keeper
            stage.keeper.wait(10)
            mark = f"CIRANDA_KEPT={stage.home}:prod-".encode()
            assert _marked(mark)
            stage.up()
            if point == "keeper.recorded":
                (one,) = watcher.observe()
                support.healthy(watcher, one.id)
                watcher.stop(one.id)
                support.until(lambda: watcher.observe()[0].state == "exited")
            else:
                assert watcher.observe() == []
            support.until(lambda: not _marked(mark))


def _marked(mark: bytes) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                found += [folder.name] if mark in (folder / "environ").read_bytes() else []
    return found


def test_an_instance_that_does_not_leave_is_killed(stage: support.Stage, watcher: supervisor.Supervisor) -> None:
    code = (
        "import signal, subprocess; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('ready', flush=True); subprocess.run(['sleep', '100'])"
    )
    spec = stage.spec(form="command", argv=(sys.executable, "-c", code))
    name = watcher.start(support.quick(spec, drain=0.3))
    log = watcher.observe()[0].log
    support.until(lambda: log and "ready" in log.read_text())
    watcher.stop(name)
    support.until(lambda: watcher.observe()[0].state == "exited")
    assert watcher.observe()[0].exit == "signal 9"
    assert not _marked(f"{stage.home}:{name}".encode())  # its child neither


def test_a_new_control_knows_everything_and_ends_what_another_began(stage: support.Stage) -> None:
    with support.supervising(stage) as first:
        names = [first.start(stage.spec()) for _ in range(2)]
        support.healthy(first, *names)
        first.route("flights", "prod", [support.route(support.healthy(first, names[0]))])
        seen = {one.id: one for one in first.observe()}
    # the second instance was to be stopped, and control died before SIGTERM was sent
    stage.answers("keeper", {"type": "signal", "id": names[1], "signal": None, "kill_after": 30})
    with support.supervising(stage) as second:
        again = {one.id: one for one in second.observe()}
        assert again[names[0]] == seen[names[0]]
        assert again[names[1]].state in {"draining", "exited"}
        assert second.routed("flights", "prod") == [support.route({names[0]: seen[names[0]]})]
        support.until(lambda: {one.id: one.exit for one in second.observe()}[names[1]] == "exit 0")


def test_routes_that_the_gateway_was_never_told_of_are_put_in_force_by_the_next_control(
    stage: support.Stage, watcher: supervisor.Supervisor
) -> None:
    names = [watcher.start(stage.spec(release)) for release in ("r1", "r2")]
    healthy = support.healthy(watcher, *names)
    watcher.route("flights", "prod", [support.route({names[0]: healthy[names[0]]})])
    path = stage.home / "state/routes.json"
    newer = support.route({names[1]: healthy[names[1]]}, "r2")
    table.save(path, table.load(path).replaced("flights", "prod", [newer]))  # and here control is killed
    assert stage.get()[1]["x-ciranda-release"] == "r1"
    with support.supervising(stage) as second:
        assert second.routed("flights", "prod") == [newer]
        assert stage.get()[1]["x-ciranda-release"] == "r2"


def test_requests_in_flight_end_before_an_instance_is_told_to_leave(
    stage: support.Stage, watcher: supervisor.Supervisor
) -> None:
    # one that dies at once on SIGTERM
    code = f"import signal; source = {support.TOY!r}.replace('lambda *_: threading', 'lambda *_: os._exit(9)'); exec(source)"
    name = watcher.start(stage.spec(form="command", argv=(sys.executable, "-I", "-c", code)))
    watcher.route("flights", "prod", [support.route(support.healthy(watcher, name))])
    with support.Load(stage.ports["gateway"], clients=1, path="/flights/prod/delays/slow?1") as load:
        support.until(lambda: watcher.observe()[0].in_flight == 1)
        watcher.route("flights", "prod", [])
        watcher.stop(name)
        assert watcher.observe()[0].state == "draining"
        support.until(lambda: load.answered > 0)
        assert load.failed == [] or load.failed[0] == "404"
        assert load.answered - len(load.failed) == 1


@pytest.mark.skipif(not confine.available(), reason="nothing is confined here")
def test_a_confined_instance_sees_neither_home_nor_sockets(
    stage: support.Stage, watcher: supervisor.Supervisor
) -> None:
    (stage.home / "token").write_text("secret")
    name = watcher.start(stage.spec())
    watcher.route("flights", "prod", [support.route(support.healthy(watcher, name))])
    assert stage.get(f"/flights/prod/delays/read?{stage.home / 'token'}")[2] == b"FileNotFoundError"
    assert stage.get(f"/flights/prod/delays/read?{stage.sockets / 'keeper'}")[2] == b"FileNotFoundError"
    assert stage.get(f"/flights/prod/delays/read?{stage.root / 'tree/toy.py'}")[2].decode() == support.TOY


def test_unconfined_instances_are_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRANDA_CONFINE", "off")
    with support.stage(tmp_path) as stage, support.supervising(stage) as watcher:
        (stage.home / "token").write_text("secret")
        name = watcher.start(stage.spec())
        found = support.healthy(watcher, name)
        assert not found[name].confined
        watcher.route("flights", "prod", [support.route(found)])
        assert stage.get(f"/flights/prod/delays/read?{stage.home / 'token'}")[2] == b"secret"
        watcher.stop(name)
        support.until(lambda: watcher.observe()[0].exit == "exit 0")


def test_a_program_that_is_not_there_is_refused_or_seen(stage: support.Stage, watcher: supervisor.Supervisor) -> None:
    spec = stage.spec(form="command", argv=("/does/not/exist",))
    if confine.available():
        watcher.start(spec)
        support.until(lambda: watcher.observe()[0].state == "exited")
        log = watcher.observe()[0].log
        assert log
        assert "/does/not/exist" in log.read_text()
        assert logs.tail(log, 5)[0].instance == watcher.observe()[0].id
    else:
        with pytest.raises(errors.Refused, match="/does/not/exist"):
            watcher.start(spec)


def test_a_second_keeper_is_refused_and_names_the_first(stage: support.Stage) -> None:
    assert stage.keeper
    command = [sys.executable, "-I", "-m", "ciranda.service.keeper", str(stage.home / "state/keeper.json")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert f"process {stage.keeper.pid}" in done.stderr
    assert stage.answers("keeper", {"type": "list"})


def test_a_port_in_use_is_named_before_anything_starts(stage: support.Stage, tmp_path: Path) -> None:
    other = support.Stage(tmp_path / "other", ports={"gateway": stage.ports["gateway"]})
    (tmp_path / "other").mkdir()
    with pytest.raises(AssertionError):
        other.up()
    assert other.keeper
    other.keeper.wait(10)
    other.down()
    said = (other.home / "logs/keeper.log").read_text()
    assert f"port {stage.ports['gateway']} is taken by" in said
    assert not _marked(str(other.home).encode() + b":")


def test_the_end_leaves_nothing(tmp_path: Path) -> None:
    with support.stage(tmp_path) as stage, support.supervising(stage) as watcher:
        name = watcher.start(stage.spec())
        support.healthy(watcher, name)
        assert stage.answers("keeper", {"type": "stop"})
        assert stage.keeper
        assert stage.keeper.wait(15) == 0
        assert not _marked(f"CIRANDA_KEPT={stage.home}".encode())
        stage.up()
        (one,) = watcher.observe()
        assert (one.id, one.exit) == (name, "exit 0")


def test_roles_are_started_again(stage: support.Stage) -> None:
    first = stage.pid("control")
    stage.kill("control")
    stage.again("control", first)


@pytest.mark.parametrize(
    "request_", [{"type": "dance"}, {"type": "start", "id": "x"}, {"type": "forget", "id": "nobody"}, []]
)
def test_garbage_on_the_keepers_socket_is_answered(stage: support.Stage, request_: dict[str, str]) -> None:
    answer = stage.answers("keeper", request_)
    assert answer
    assert answer["ok"] is False
    assert answer["error"]
    assert stage.answers("keeper", {"type": "list"})


def test_a_corrupt_routes_table_leaves_the_last_good_one_in_force(
    stage: support.Stage, watcher: supervisor.Supervisor
) -> None:
    name = watcher.start(stage.spec())
    found = support.healthy(watcher, name)
    watcher.route("flights", "prod", [support.route(found)])
    path = stage.home / "state/routes.json"
    serial = stage.answers("gateway", {"type": "state"})
    for garbage in (b"", b"{", b'{"format": "ciranda.routes/1", "serial": 99, "routes": [{}]}'):
        path.write_bytes(garbage)
        answer = stage.answers("gateway", {"type": "reload", "serial": 99})
        assert answer
        assert not answer["ok"]
        assert stage.get()[0] == 200
    pid = stage.pid("gateway")
    stage.kill("gateway")
    stage.again("gateway", pid)
    assert stage.get()[0] == 200
    watcher.route("flights", "prod", [support.route(found)])
    assert serial
    assert stage.answers("gateway", {"type": "state"})["serial"] > serial["serial"]  # type: ignore[index]
    assert watcher.routed("flights", "prod") == [support.route(found)]


def test_the_specification_of_what_is_being_started_is_not_swept_away(
    stage: support.Stage, watcher: supervisor.Supervisor
) -> None:
    first = watcher.start(stage.spec())
    support.healthy(watcher, first)
    os.kill(int(stage.children()[first]["identity"]["pid"]), signal.SIGKILL)
    support.until(lambda: watcher.observe()[0].state == "exited")
    ask = watcher._keeper

    def slow(request: dict[str, object]) -> dict[str, object]:
        if request["type"] == "start":
            watcher._keeper = ask  # type: ignore[method-assign]
            watcher.forget(first)
        return ask(request)

    watcher._keeper = slow  # type: ignore[method-assign, assignment]
    second = watcher.start(stage.spec("r2"))
    assert support.healthy(watcher, second)
