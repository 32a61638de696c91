"""The section `[jobs.NAME]`: what is made anew, when, and by when it has to be there."""

from collections.abc import Callable, Sequence

from ciranda.kernel import errors
from ciranda.project import cron, names
from ciranda.project.declaration import Environment, Job
from ciranda.project.reading import Table


def read(name: str, table: Table, environments: Sequence[Environment]) -> Job:
    """One job; what is wrong is noted in the table."""
    if problem := names.problem(name):
        table.wrong("", f"has a wrong name: {problem}")
    run = table.texts("run")
    if "run" in table and not run:
        table.wrong("run", "names nothing to make", 'write run = ["…"] with the assets that it makes')
    schedule, ready_by = table.optional("schedule"), table.optional("ready_by")
    if schedule:
        _told(table, "schedule", lambda: cron.parse(schedule))
    if ready_by:
        _told(table, "ready_by", lambda: cron.clock_time(ready_by))
        if "schedule" not in table:
            table.wrong("ready_by", "needs a schedule", f"write schedule = {cron.EXAMPLE}")
    known = [environment.name for environment in environments]
    places = table.texts("environments")
    for place in places:
        if place not in known:
            hint = names.suggestion(place, known) or f"known: {', '.join(known) or 'none'}"
            table.wrong("environments", f'names "{place}", which is not an environment', hint, value=place)
    if places and "schedule" not in table:
        table.wrong("environments", "says where a schedule holds, and there is none", "by hand it runs everywhere")
    return Job(
        name=name,
        run=run,
        schedule=schedule or None,
        ready_by=ready_by or None,
        environments=places,
        retries=table.whole("retries", 0),
        timeout=table.seconds("timeout", Job(name, ()).timeout),
        owner=table.text("owner"),
        line=table.line,
    )


def _told(table: Table, key: str, understand: Callable[[], object]) -> None:
    try:
        understand()
    except errors.Invalid as error:
        table.wrong(key, f"is wrong: {error}", error.hint)
