"""The act of the nightly job: a good night makes production's table, a bad one leaves it as it was."""

import json
import sys
from typing import Any

from ciranda.demo import judge
from ciranda.demo.judge import Said
from ciranda.demo.scene import Play, Played
from ciranda.demo.story import Night

JOB = 120.0  # seconds for a run of the job
LOADED = 30.0  # seconds for its table to be read
LOAD = """\
import json, sys
import ciranda
table = ciranda.load(sys.argv[1], environment="prod")
json.dump(table.collect().to_dicts() if hasattr(table, "collect") else table, sys.stdout, default=str)
"""  # what somebody's report would do: whatever production's table is now


def keeps_yesterday(play: Play) -> Played:
    mark, nightly = play.traffic.mark, play.story.nightly
    good = night(play, nightly.good)
    before = table(play)
    findings = judge.became(good, before, nightly.table, nightly.good)
    figures: dict[str, Any] = {"job_seconds": round(good.seconds, 1), "rows": len(before or ())}
    if not all(finding.ok for finding in findings):
        return findings, figures
    bad = night(play, nightly.bad, arrives=not play.breaks(5))
    shown = wrong_rows(play)
    after = table(play)
    answers = play.watched(mark)
    findings += [
        *judge.failed_night(bad, nightly.bad),
        judge.rows_shown(shown, nightly.wrong),
        judge.stayed(before, after, nightly.table, nightly.good),
        judge.steady(answers),
    ]
    return findings, figures | {"wrong_rows": shown.get("count", 0)} | judge.pace(answers)


def night(play: Play, this: Night, *, arrives: bool = True) -> Said:
    """What is left for the job lies there, and the job has run."""
    if arrives:
        this.arrive(play.stage.tree)
        play.screen.line(this.shown)
    job = play.story.nightly.job
    play.screen.command(f"ciranda job run {job} -e prod")
    return play.stage.ciranda("job", "run", job, "-e", "prod", timeout=JOB, show=play.screen.line)


def table(play: Play) -> list[dict[str, Any]] | None:
    """The rows of production's table, as a program of its own loads them; None where it could not."""
    name = play.story.nightly.table
    play.screen.command(f'python -c \'ciranda.load("{name}", environment="prod")\'')
    said = play.stage.run(sys.executable, "-c", LOAD, name, timeout=LOADED)
    try:
        rows = json.loads(said.text) if said.code == 0 else None
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        play.screen.line(" ".join([f"it ended with {said.code}:", *said.text.strip().splitlines()[-1:]]))
        return None
    play.screen.line(f"{len(rows):,} rows of {judge.days(rows)}")
    return rows


def wrong_rows(play: Play) -> dict[str, Any]:
    """What the check of the last run found: `count`, `columns`, `rows`; empty where nothing is told."""
    nightly = play.story.nightly
    ran = play.stage.told("job", "show", nightly.job, "-e", "prod")
    name = ran["entries"][0]["run"] if ran.get("entries") else ""
    outcome = play.stage.told("show", f"{nightly.table}@{name}", "--check", nightly.check) if name else {}
    return outcome.get("found") or {}
