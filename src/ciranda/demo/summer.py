"""The act of the summer: the world changes, drift is named, the model is made anew by itself, and enters by canary."""

import time
from typing import Any

from ciranda.demo import canary, judge
from ciranda.demo.judge import Finding
from ciranda.demo.scene import BACK, Play, Played, Second

ANEW = 120.0  # seconds from the first request of the new season to the first answer of the new model
LOOK = 0.5  # seconds between two looks at what Ciranda says


def arrives(play: Play) -> Played:
    second, season = play.second, play.story.season
    if second is None:
        return [Finding(False, f"{season.project} is not live")], {}
    old = second.live
    second.traffic.stop()
    if not play.breaks(11):
        season.arrive(second.stage.tree)
    play.screen.line(season.shown)
    second.traffic = canary.asked(play, season.before if play.breaks(11) else season.after)
    second.traffic.start()
    began = time.monotonic()
    drift = drifts(second, season.service, until=began + BACK * 2)
    named = time.monotonic() - began
    play.screen.command(f"ciranda drift {season.service} -e prod")
    said = second.stage.ciranda("drift", season.service, "-e", "prod", timeout=BACK)
    for line in said.text.splitlines()[:6]:
        play.screen.line(line)
    findings = [judge.drifted(drift, season.column)]
    figures: dict[str, Any] = {"named_seconds": round(named, 1)}
    if not findings[0].ok:
        return findings, figures
    new = second.traffic.wait(
        lambda answer: not answer.failed and answer.release != old, after=0, timeout=began + ANEW - time.monotonic()
    )
    second.live = new.release if new else ""
    waited = second.stage.ciranda("wait", second.live or "r0", "-e", "prod", timeout=ANEW)
    play.screen.command("ciranda reaction show 1")
    second.stage.ciranda("reaction", "show", "1", timeout=BACK, show=play.screen.line)
    chain = second.stage.told("reaction", "show", "1")
    answers = second.watched(0)
    findings += [
        judge.reacted(chain, second.live),
        Finding(
            waited.code == 0 and answers[-1].release == second.live, f"{second.live or 'nothing'} answers everybody"
        ),
        learnt_more(second, season.model, old),
        judge.steady(answers),
    ]
    return findings, figures | {"anew_seconds": round(time.monotonic() - began, 1), "release": second.live}


def drifts(second: Second, service: str, *, until: float) -> dict[str, Any]:
    """What Ciranda says of drift, as soon as it says that there is some."""
    while True:
        found = second.stage.told("drift", service, "-e", "prod", codes=(0, 2))
        if judge.columns(found) or time.monotonic() > until:
            return found
        time.sleep(LOOK)


def learnt_more(second: Second, model: str, old: str) -> Finding:
    """The new model learnt from more rows than the one before."""
    before, now = (figures(second, f"{model}@{release}") for release in (old, second.live))
    text = f"its {model} learnt from {now.get('rows', 0):,} rows, the one before from {before.get('rows', 0):,}"
    return Finding(0 < before.get("rows", 0) < now.get("rows", 0), text)


def figures(second: Second, version: str) -> dict[str, Any]:
    found = second.stage.told("show", version)
    return dict(found.get("version", found).get("figures") or {})
