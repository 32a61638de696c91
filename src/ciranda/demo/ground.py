"""The act of the ground: infrastructure changes with a release, and what somebody changes by hand is found."""

import importlib.util
import platform
import shutil
import sys
from pathlib import Path

from ciranda.demo import examples, judge
from ciranda.demo.judge import Finding
from ciranda.demo.scene import BACK, Play, Played

TOOLS = ("terraform", "tofu")
VERSION = "1.0.0"


def missing() -> str:
    """What this act would need and is not here; "" when it can be played."""
    if not any(shutil.which(tool) for tool in TOOLS):
        return "Terraform or OpenTofu on the PATH"
    return "" if importlib.util.find_spec("tf") else "the package tf, in which a provider is written"


def changes(play: Play) -> Played:
    second, season = play.second, play.story.season
    if second is None:
        return [Finding(False, f"{season.project} is not live")], {}
    shelf = provide(play.stage.home)
    mark = second.traffic.mark
    head = play.commit(season.ground, act=0, stage=second.stage)
    push = play.push(second.stage)
    second.main = second.stage.main()
    made = second.stage.told("infra", "state", "-e", "prod")
    boxes = sorted(shelf.iterdir())
    if boxes and not play.breaks(12):
        play.screen.line(f"somebody edits {boxes[0].name} by hand")
        boxes[0].write_text("by hand", encoding="utf-8")
    play.screen.command("ciranda infra drift -e prod")
    drift = second.stage.ciranda("infra", "drift", "-e", "prod", timeout=BACK * 2, show=play.screen.line)
    answers = second.watched(mark)
    second.live = answers[-1].release if answers else ""
    return [
        *judge.accepted(push, second.main, head),
        judge.built(push, made, boxes),
        judge.moved(drift),
        judge.steady(answers),
    ], {"push_seconds": round(push.seconds, 1)}


def provide(home: Path) -> Path:
    """Put the demo's provider where the Terraform of the home looks for providers; returns the folder in which it makes files."""
    place = home / "terraform"
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    binary = place / "mirror" / "example.com" / "ciranda" / "shelf" / VERSION / f"{sys.platform}_{machine}"
    shelf = place / "plugins" / "shelf"
    for folder in (binary, shelf):
        folder.mkdir(parents=True, exist_ok=True)
    script = binary / f"terraform-provider-shelf_v{VERSION}"
    source = shutil.copy(examples.folder("shelf") / "provider.py", place)
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {source} {shelf} "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    mirror = f'filesystem_mirror {{ path = "{place / "mirror"}" }}'
    (place / "terraform.tfrc").write_text(f"provider_installation {{ {mirror} }}\n", encoding="utf-8")
    return shelf
