"""`ciranda notify`: on which channels people are told what happens, and whether they can be reached."""

import argparse
from dataclasses import asdict
from pathlib import Path

from ciranda.app import client
from ciranda.app import home as homes
from ciranda.app.views import feedback as views
from ciranda.app.views import project as projects
from ciranda.cli import saying
from ciranda.feedback import review
from ciranda.kernel import clock, errors

EXAMPLE = "  ciranda notify list\n  ciranda notify test team"
_MARKS = {"works": "✓", "fails": "✗", "unset": "✗", "waits": "·"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("act", nargs="?", choices=("list", "test"), default="list", help="test: send something now")
    parser.add_argument("channel", nargs="?", metavar="CHANNEL", help="test: which one")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")


def main(given: argparse.Namespace) -> int:
    """0: done, and every channel can be reached; 1: one cannot."""
    home = homes.locate(given.home)
    if given.act == "test" and not given.channel:
        raise errors.Usage("test needs a channel", hint="ciranda notify test team")
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        if given.act == "test":
            told = client.of_home(home).post("notify/test", project=project, channel=given.channel)
            if given.json:
                saying.facts(told)
            else:
                saying.lines(
                    f"{given.channel}: a test was sent by {told['kind']}; has it come?",
                    *([told["problem"]] if told["problem"] else []),
                )
            return 0
        found = views.channels(database, home, project)
    if given.json:
        saying.facts({"project": project, "channels": [asdict(one) for one in found]})
    elif not found:
        saying.lines(f"{project} tells nobody; declare a channel: [notify.NAME] in ciranda.toml")
    else:
        wide = max(len(one.name) for one in found)
        for one in found:
            saying.lines(
                f"{_MARKS[one.state]} {one.name:<{wide}}  {one.kind:<7}  {_asked(one)}", *_state(one, wide + 4)
            )
    return 1 if any(one.state in ("fails", "unset") for one in found) else 0


def _asked(one: views.Channel) -> str:
    parts = [one.to, "everything" if one.severity == "info" else f"from {one.severity} on"]
    parts += [f"of {', '.join(one.owners)}"] if one.owners else []
    parts += [", ".join(one.events)] if one.events else []
    return "   ".join(parts)


def _state(one: views.Channel, indent: int) -> list[str]:
    pad = " " * indent
    if one.missing:
        return [f"{pad}not set: ciranda secret set {name} --notify" for name in one.missing]
    if one.state == "waits":
        return [f"{pad}nothing was told yet; try it: ciranda notify test {one.name}"]
    said = [f"{one.sent} told"] + ([f"the last one {saying.ago(one.sent_us)} ago"] if one.sent_us else [])
    said += [f"{one.dropped} facts were too old to be told"] if one.dropped else []
    lines = [f"{pad}{', '.join(said)}"] + ([f"{pad}{one.problem}"] if one.problem and one.state == "works" else [])
    if one.state == "fails":
        again = "" if one.retry_us is None else f"; again in {review.lasted(one.retry_us - clock.now_us())}"
        lines.append(f"{pad}fails since {saying.ago(one.failing_us or 0)}: {one.problem}{again}")
    return lines
