"""Plays the acts on a stage of their own and says whether each outcome was observed."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ciranda.demo import acts, ground, scene
from ciranda.demo.judge import Outcome
from ciranda.demo.screen import Screen
from ciranda.demo.stage import Stage
from ciranda.demo.story import Story
from ciranda.demo.traffic import Traffic


def play(
    story: Story,
    screen: Screen,
    *,
    home: Path | None = None,
    keep: bool = False,
    broken: int | None = None,
    script: Sequence[scene.Act] = acts.ACTS,
) -> dict[str, Any]:
    """Play all acts, stopping after one whose outcome was not observed; returns the summary (`observed`: all of them were).

    Raises errors.CirandaError where the stage cannot be set. Nothing is left behind, whatever happens, unless `keep`.
    """
    began = time.monotonic()
    outcomes: list[Outcome] = []
    script, left_out = playable(script)
    screen.say(f"Ciranda plays the whole loop on {story.introduction}")
    with stage_of(story, home, keep=keep) as stage, traffic_of(stage, story) as traffic:
        set_up(stage, story, screen)
        with second_of(scene.Play(stage, screen, story, traffic, broken)) as playing:
            for act in script:
                outcomes.append(performed(act, playing))
                if not outcomes[-1].observed:
                    break
        traffic.stop()
        seconds = time.monotonic() - began
        screen.ending(outcomes, len(script), seconds)
        for text in left_out:
            screen.say(text)
        if keep:
            farewell(stage, screen)
    return summary(outcomes, seconds, story, script)


def playable(script: Sequence[scene.Act]) -> tuple[list[scene.Act], list[str]]:
    """The acts that can be played on this machine, and why others cannot."""
    lacks = ground.missing()
    left = [act for act in script if act.play is ground.changes and lacks]
    return [act for act in script if act not in left], [
        f"act {act.number} was not played: it needs {lacks}" for act in left
    ]


@contextmanager
def stage_of(story: Story, home: Path | None, *, keep: bool) -> Iterator[Stage]:
    stage = Stage(story.project, home)
    try:
        yield stage
    except BaseException:
        stage.close()
        raise
    stage.close(keep=keep)


@contextmanager
def traffic_of(stage: Stage, story: Story) -> Iterator[Traffic]:
    traffic = Traffic(scene.address(stage, story), story.bodies, rate=scene.RATE, clients=scene.CLIENTS)
    try:
        yield traffic
    finally:
        traffic.stop()


@contextmanager
def second_of(playing: scene.Play) -> Iterator[scene.Play]:
    """The traffic of the second project, which begins in an act, ends with the performance."""
    try:
        yield playing
    finally:
        if playing.second is not None:
            playing.second.traffic.stop()


def set_up(stage: Stage, story: Story, screen: Screen) -> None:
    """A server in an empty home, and the repository beside it, nothing pushed yet."""
    story.write(stage.tree)
    screen.say()
    screen.command(f"ciranda up --detach --port {stage.port} --gateway-port {stage.gateway_port}")
    stage.up(screen.line)
    stage.repository()
    screen.command(f"git remote add ciranda http://127.0.0.1:{stage.port}/git/{story.project}.git")


def performed(act: scene.Act, on: scene.Play) -> Outcome:
    """Play one act, show what was found, and say what it came to."""
    on.screen.title(act.number, act.title)
    began = time.monotonic()
    findings, figures = act.play(on)
    for finding in findings:
        on.screen.finding(finding)
    return Outcome(act.number, act.title, time.monotonic() - began, tuple(findings), figures)


def summary(outcomes: list[Outcome], seconds: float, story: Story, script: Sequence[scene.Act]) -> dict[str, Any]:
    """The JSON that `--json` prints; acts after one that was not observed were not played."""
    played = {outcome.act: outcome for outcome in outcomes}
    rows = [row(act, played.get(act.number)) for act in script]
    return {
        "project": story.project,
        "observed": all(each["outcome"] for each in rows),
        "seconds": round(seconds, 1),
        "acts": rows,
    }


def row(act: scene.Act, outcome: Outcome | None) -> dict[str, Any]:
    """One act in the summary."""
    if outcome is None:
        return {
            "act": act.number,
            "title": act.title,
            "outcome": False,
            "why": "not played",
            "seconds": 0.0,
            "figures": {},
        }
    return {
        "act": act.number,
        "title": act.title,
        "outcome": outcome.observed,
        "why": outcome.why,
        "seconds": round(outcome.seconds, 1),
        "findings": [{"ok": finding.ok, "text": finding.text} for finding in outcome.findings],
        "figures": outcome.figures,
    }


def farewell(stage: Stage, screen: Screen) -> None:
    """How to look at what was left up, and how to end it."""
    screen.say()
    screen.say("It stays up. Look at it, and push to it yourself:")
    for text in (
        f"export CIRANDA_HOME={stage.home}",
        f"cd {stage.tree}",
        "ciranda status",
        "ciranda open",
        "git push ciranda main",
        f"ciranda down && rm -rf {' '.join(str(folder) for folder in stage.folders)}",
    ):
        screen.say(f"  {text}")
