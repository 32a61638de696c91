"""The acts after the failure: an incident with its review, whose action a commit closes, and how well all of it is delivered."""

import time
from typing import Any

from ciranda.demo import judge
from ciranda.demo.judge import Finding
from ciranda.demo.scene import BACK, Play, Played, Second

TITLE = "One flight in twenty was not answered"
ACTION = "A test of the last hour of the day"
LOOK = 0.5  # seconds between two looks at what Ciranda says


def reviewed(play: Play) -> Played:
    second = play.second
    if second is None:
        return [Finding(False, "the second project is not live")], {}
    for typed in (
        ("open", TITLE, "-e", "prod", "--since", "5m"),
        ("resolve", "1", "the canary went back by itself"),
        ("review", "1", "--out", "incident-1.md"),
    ):
        told(play, second, *typed)
    draft = second.stage.tree / "incident-1.md"
    timeline = draft.read_text(encoding="utf-8")
    action = "" if play.breaks(13) else f"\n- [ ] {ACTION} (@data)\n"
    draft.write_text(timeline + action, encoding="utf-8")
    play.screen.line(f"incident-1.md: a person writes what was learnt, and an action: {ACTION}")
    told(play, second, "review", "1", "--take", "incident-1.md")
    draft.unlink()
    items = second.stage.told("item", "list").get("items", [])
    findings = [judge.timeline(timeline), judge.items(items, ACTION)]
    if all(finding.ok for finding in findings):
        findings += lands(play, second)
    return findings, {"items": len(items)}


def told(play: Play, second: Second, *typed: str) -> None:
    """A command about the incident, as it is typed, and what it says. Raises errors.Refused where it does not work."""
    play.screen.command(" ".join(["ciranda incident", *(f'"{each}"' if " " in each else each for each in typed)]))
    said = second.stage.ciranda("incident", *typed, timeout=BACK, show=play.screen.line)
    second.stage.must(said, "ciranda incident")


def lands(play: Play, second: Second) -> list[Finding]:
    """The commit that names the item lands, and the item is closed by it."""
    head = play.commit(play.story.season.lesson, act=0, stage=second.stage)
    push = play.push(second.stage)
    second.main = second.stage.main()
    until, items = time.monotonic() + BACK, list[dict[str, Any]]()
    while not any(item["commit_sha"] for item in items) and time.monotonic() < until:
        items = second.stage.told("item", "list", "--all").get("items", [])
        time.sleep(LOOK)
    return [*judge.accepted(push, second.main, head), judge.closed(items, head)]


def delivered(play: Play) -> Played:
    second = play.second
    if second is None:
        return [Finding(False, "the second project is not live")], {}
    play.screen.command("ciranda delivery")
    where = ("--project", play.story.project) if play.breaks(14) else ()
    said = second.stage.ciranda("delivery", *where, timeout=BACK, show=play.screen.line)
    parts = second.stage.told("delivery", *where).get("parts") or [{}]
    figures = parts[0].get("now", {})
    return [Finding(said.code == 0, f"ciranda delivery ended with {said.code}"), *judge.delivery(figures)], {
        "deployments": figures.get("deployments"),
        "failed_share": figures.get("rate"),
    }
