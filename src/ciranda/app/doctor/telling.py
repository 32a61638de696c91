"""Who is told: channels that cannot be reached, or whose secrets are not set."""

from collections.abc import Iterable, Iterator

from ciranda.app import home as homes
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.app.views import feedback
from ciranda.feedback.review import lasted
from ciranda.kernel.database import Database


def channels(home: homes.Home, database: Database, projects: Iterable[str], now_us: int) -> Iterator[Finding]:
    """Of every project."""
    for project in projects:
        yield from judge(project, feedback.channels(database, home, project), now_us)


def judge(project: str, found: Iterable[feedback.Channel], now_us: int) -> Iterator[Finding]:
    """A channel that failed a moment ago is tried again by itself; one that has failed for long is told. Pure."""
    for one in found:
        where, option = f"{project} {one.name}", f"--project {project}"
        for name in one.missing:
            said = f"the channel {one.name} tells nobody: its secret {name} is not set"
            yield findings.warn(said, where, f"ciranda secret set {name} --notify {option}")
        if not one.missing and one.failing_us is not None and now_us - one.failing_us >= feedback.DEAD:
            said = f"nobody was reached on {one.name} for {lasted(now_us - one.failing_us)}: {one.problem}"
            yield findings.warn(said, where, f"ciranda notify test {one.name} {option}")
