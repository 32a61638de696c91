"""The demo on a small story: all of its acts, and some of them broken on purpose, which the judge must see. CI plays it on real flights."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ciranda.demo import acts, data, play, processes
from ciranda.demo.screen import Screen
from support.demo import STORY

NEEDS = {1: (1,), 4: (1, 4), 8: (1, 8), 10: (10,)}
"""Acts that are broken here, each with those that it follows from; what each act finds is judged in unit tests."""


def played(script: tuple[int, ...], *, broken: int | None, home: Path) -> tuple[dict[str, object], str]:
    """The summary, and what a person saw."""
    out = io.StringIO()
    chosen = [act for act in acts.ACTS if act.number in script]
    said = play.play(STORY, Screen(out), home=home, broken=broken, script=chosen)
    assert processes.of_home(home) == []
    assert not home.exists()
    return said, out.getvalue()


def test_every_act_is_observed_on_a_small_story(tmp_path: Path) -> None:
    said, seen = played(tuple(act.number for act in acts.ACTS), broken=None, home=tmp_path / "home")
    assert said["observed"], seen
    assert [line for line in seen.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("broken", NEEDS)
def test_a_broken_act_is_seen(broken: int, tmp_path: Path) -> None:
    said, seen = played(NEEDS[broken], broken=broken, home=tmp_path / "home")
    outcomes = {act["act"]: act["outcome"] for act in said["acts"]}  # type: ignore[attr-defined]
    assert outcomes == {act: act != broken for act in NEEDS[broken]}, seen
    assert not said["observed"]


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    home = tmp_path / "home"
    data.ensure(print)
    command = [sys.executable, "-m", "ciranda.cli.main", "demo", "--home", str(home)]
    demo = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)}, text=True)
    with demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "git push" in line:
                demo.send_signal(signal.SIGINT)
                break
        assert "nothing was left behind" in demo.stdout.read()
    assert demo.returncode == 130
    assert processes.of_home(home) == []
    assert list(tmp_path.iterdir()) == []
