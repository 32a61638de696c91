"""The lines of a job's run: pure, from records to text."""

from collections.abc import Sequence

from ciranda.environment.jobs import Run
from ciranda.environment.times import SECOND
from ciranda.loop import wording
from ciranda.project import cron


def headline(run: Run, release: str, schedule: str | None) -> str:
    """`flights nightly in prod at r42  due 2026-11-22 05:00 -03, caught up`, or `by hand of ana`."""
    zone = cron.parse(schedule) if schedule else None
    if run.cause == "by hand" or zone is None:
        why = f"by hand of {run.actor}"
    else:
        why = f"due {zone.said(run.due_us)}" + (", caught up" if run.cause == "caught up" else "")
    tried = f", try {run.attempt}" if run.attempt > 1 else ""
    return wording.clean(f"{run.project} {run.job} in {run.environment} at {release}  {why}{tried}")


def ended(run: Run, outputs: Sequence[str], reason: str) -> list[str]:
    """How it ended: what the environment has now, or that it keeps what it had and how to go on."""
    if outputs:
        return [f"{run.environment} has {', '.join(outputs)} of this run"]
    return [
        wording.clean(f"{run.environment} stays on what it had: {reason}"),
        f"when it is mended: ciranda job retry {run.job} -e {run.environment}",
    ]


def again(run: Run, retries: int, pause_us: int) -> str:
    """That another try follows: how many there were, and when."""
    return f"it is tried again in {pause_us // SECOND} s (try {run.attempt + 1} of {retries + 1})"
