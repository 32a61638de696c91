"""Instances with secrets under a real keeper: what they write is masked, whoever dies, and their files go with them."""

import contextlib
import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.kernel import errors, volatile
from ciranda.service import masker, masking, supervisor
from ciranda.service.port import InstanceSpec
from support import service as support

VALUE = "hunter2 & \"friends\" of 'the' $ecret/%41"
TALK = """
import itertools, json, os, random, sys, time
value = open(os.environ["CIRANDA_SECRETS"] + "/KEY").read()
most, pause = int(sys.argv[1]), float(sys.argv[2])
for number in itertools.count(1):
    line = f"{number} before {value} and {json.dumps(value)} after\\n".encode()
    at = random.randrange(len(line))
    os.write(1, line[:at])
    os.write(2, line[at:])
    time.sleep(pause)
    if number == most:
        os.write(2, b"last words: " + value.encode())
        sys.exit(7)
"""


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[support.Stage]:
    with support.stage(tmp_path) as made:
        (made.root / "tree" / "talk.py").write_text(TALK)
        yield made


@contextlib.contextmanager
def supervising(stage: support.Stage) -> Iterator[supervisor.Supervisor]:
    def unseal(project: str, environment: str, wanted: Mapping[str, int]) -> dict[str, bytes]:
        assert (project, environment, wanted) == ("flights", "prod", {"KEY": 1})
        return {"KEY": VALUE.encode()}

    watcher = supervisor.Supervisor(stage.home, unseal=unseal)
    try:
        yield watcher
    finally:
        watcher.close()


def talking(stage: support.Stage, most: int, pause: float = 0.0) -> InstanceSpec:
    made = stage.spec(form="command", argv=("/usr/bin/env", "python3", "-I", "talk.py", str(most), str(pause)))
    return replace(made, secrets={"KEY": 1})


def log(stage: support.Stage, name: str) -> bytes:
    path = stage.home / "logs" / "instances" / "flights" / "prod" / "delays" / f"{name}.log"
    return path.read_bytes() if path.exists() else b""


def maskers(stage: support.Stage) -> list[int]:
    answer = stage.answers("keeper", {"type": "list"})
    return [child["identity"]["pid"] for child in answer["children"] if child["role"] == "masker"] if answer else []


def kill_maskers(stage: support.Stage) -> None:
    for pid in maskers(stage):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def leaks(text: bytes) -> list[str]:
    """Pieces of the value that a log has."""
    return [VALUE[at : at + 12] for at in range(len(VALUE) - 12) if VALUE[at : at + 12].encode() in text]


def test_everything_is_written_and_nothing_leaks(stage: support.Stage) -> None:
    with supervising(stage) as watcher:
        name = watcher.start(talking(stage, 3000))
        folder = volatile.place(stage.home, "secrets") / name
        assert folder.is_dir()
        support.until(lambda: {one.id: one.exit for one in watcher.observe()}[name] == "exit 7")
        support.until(lambda: not maskers(stage) and not folder.exists())
        lines = log(stage, name).decode().splitlines()
        assert lines == [*(f'{number} before *** and "***" after' for number in range(1, 3001)), "last words: ***"]
        watcher.forget(name)
    assert not folder.parent.exists()


def test_a_masker_that_is_killed_again_and_again_neither_leaks_nor_harms(stage: support.Stage) -> None:
    dice = random.Random(7)
    with supervising(stage) as watcher:
        name = watcher.start(talking(stage, 0, 0.0005))
        pid = stage.children()[name]["identity"]["pid"]
        for _ in range(6):
            size = len(log(stage, name))
            support.until(lambda size=size: len(log(stage, name)) > size)  # type: ignore[misc]
            time.sleep(dice.random() / 50)  # anywhere in what it does
            kill_maskers(stage)
        size = len(log(stage, name))
        support.until(lambda: len(log(stage, name)) > size)
        child = stage.children()[name]
        assert (child["identity"]["pid"], child["exit"]) == (pid, None)
        assert leaks(log(stage, name)) == []
        assert log(stage, name).count(b"output was lost here") >= 6


def test_keeper_and_masker_may_both_die_and_the_instance_goes_on(stage: support.Stage) -> None:
    with supervising(stage) as watcher:
        name = watcher.start(talking(stage, 0, 0.001))
        support.until(lambda: log(stage, name))
        (old,) = maskers(stage)
        before = stage.children()[name]["identity"]
        stage.kill("keeper")
        size = len(log(stage, name))
        support.until(lambda: len(log(stage, name)) > size)  # the masker lives on
        os.kill(old, signal.SIGKILL)
        stage.ports = {}
        stage.up()
        support.until(lambda: maskers(stage) and maskers(stage) != [old])
        size = len(log(stage, name))
        support.until(lambda: len(log(stage, name)) > size)
        child = stage.children()[name]
        assert (child["identity"], child["exit"]) == (before, None)
        assert leaks(log(stage, name)) == []
        folder = volatile.place(stage.home, "secrets") / name
        watcher.stop(name)
        support.until(lambda: {one.id: one.exit for one in watcher.observe()}[name])
        support.until(lambda: not maskers(stage) and not folder.exists())


def test_what_cannot_be_masked_is_withheld(stage: support.Stage) -> None:
    with supervising(stage) as watcher:
        name = watcher.start(talking(stage, 0, 0.001))
        support.until(lambda: log(stage, name))
        (volatile.place(stage.home, "secrets") / name / "KEY").unlink()
        kill_maskers(stage)
        support.until(lambda: b"output is withheld" in log(stage, name))
        size = len(log(stage, name))
        time.sleep(0.2)  # it would write some hundred lines
        assert len(log(stage, name)) == size
        assert stage.children()[name]["exit"] is None


def test_files_of_instances_that_nobody_keeps_are_swept(stage: support.Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRANDA_CONFINE", "off")  # else it is bubblewrap that starts, and then finds nothing
    place = volatile.place(stage.home, "secrets")
    volatile.keep(place / "prod-gone-r1-00000000", {"KEY": b"value"})
    with supervising(stage) as watcher:
        watcher.observe()
        assert not place.exists()
        with pytest.raises(errors.Refused, match="No such file"):
            watcher.start(replace(talking(stage, 1), argv=("/no/such/program",)))
        support.until(lambda: not maskers(stage))
        assert list(place.glob("*")) == []


def test_the_end_of_the_keeper_leaves_no_files(tmp_path: Path) -> None:
    with support.stage(tmp_path) as stage, supervising(stage) as watcher:
        (stage.root / "tree" / "talk.py").write_text(TALK)
        name = watcher.start(talking(stage, 0, 0.01))
        support.until(lambda: log(stage, name))
        assert stage.answers("keeper", {"type": "stop"})
        assert stage.keeper
        assert stage.keeper.wait(15) == 0
        assert not volatile.place(stage.home, "secrets").exists()
        assert leaks(log(stage, name)) == []


@pytest.mark.parametrize(
    ("data", "drop", "left"),
    [
        (b"ab\ncd", 9, (b"cd", 0)),
        (b"abcd", 2, (b"cd", 0)),
        (b"ab", 9, (b"", 7)),
        (b"ab\ncd", 2, (b"\ncd", 0)),
        (b"ab", 0, (b"ab", 0)),
    ],
)
def test_what_comes_first_after_a_death_is_dropped(data: bytes, drop: int, left: tuple[bytes, int]) -> None:
    assert masker.dropped(data, drop) == left


def test_what_is_dropped_is_as_long_as_a_value_may_be() -> None:
    value = VALUE.encode() * 3
    assert masking.Masker([value]).longest >= 6 * len(value)


def test_secrets_that_cannot_be_unsealed_start_nothing_and_leave_nothing(stage: support.Stage) -> None:
    def unseal(*_: object) -> dict[str, bytes]:
        raise errors.Refused("the key file of the secrets is missing")

    watcher = supervisor.Supervisor(stage.home, unseal=unseal)
    try:
        for form in ("predict", "command"):
            with pytest.raises(errors.Refused, match="key file"):
                watcher.start(replace(stage.spec(form=form), secrets={"KEY": 1}))
        assert watcher.observe() == []
        assert maskers(stage) == []
        assert not volatile.place(stage.home, "secrets").exists()
        assert [path.name for path in stage.sockets.iterdir() if path.name.isdigit()] == []
    finally:
        watcher.close()
