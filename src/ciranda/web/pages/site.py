"""What each page shows, by its path: one function a page, over the views. They block, and run in the threads of the rooms."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ciranda.access.roles import User
from ciranda.app import home as homes
from ciranda.app import people, sampling
from ciranda.app.views import alerts, audit, status
from ciranda.app.views import feedback as feedback_views
from ciranda.app.views import jobs as job_views
from ciranda.app.views.pages import (
    changes,
    drift,
    environments,
    feedback,
    figures,
    loop,
    releases,
    runs,
    services,
    traffic,
)
from ciranda.environment import jobs
from ciranda.kernel import clock, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import changes as ledger_changes
from ciranda.pipeline import runs as ledger_runs
from ciranda.release import releases as ledger_releases
from ciranda.web.pages import actions, bars, charts, curves
from ciranda.web.pages.rendering import Page

MOST = 50  # rows of a list on one page
NEWEST = 1 << 62  # a number that none reaches
DRIFT = 10  # seconds between looks of a page that shows drift
LIVE = 2  # seconds between looks of a page that shows rates
SLOWLY = 15  # of one that shows what is sampled


@dataclass(frozen=True)
class Site:
    """What the pages look at."""

    home: homes.Home
    database: Database
    store: Store
    traffic: traffic.Traffic


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request names: the parts of its path, and its query."""

    path: Mapping[str, Any]
    query: Mapping[str, str]
    user: User

    @property
    def project(self) -> str:
        return str(self.path["project"])

    @property
    def before(self) -> int:
        """The number below which a list begins."""
        text = self.query.get("before", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else NEWEST


def front(site: Site, asked: Asked) -> Page:
    """Every project that whoever asks may look at."""
    every = loop.gather(site.home, site.database, site.traffic)
    found = replace(every, loops=tuple(one for one in every.loops if asked.user.may("viewer", one.project.name)))
    return Page("front", "Projects", {"front": found}, every=LIVE, said=_said(found))


def project(site: Site, asked: Asked) -> Page:
    """One project."""
    found = loop.gather(site.home, site.database, site.traffic, asked.project)
    given = {"front": found, "told": found.loops[0]}
    return Page("project", asked.project, given, asked.project, every=LIVE, said=_said(found))


def change_list(site: Site, asked: Asked) -> Page:
    """The changes of a project."""
    _known(site, asked.project)
    rows, more = _paged(ledger_changes.page(site.database, asked.project, asked.before, MOST + 1))
    return Page("changes", f"Changes of {asked.project}", {"changes": rows, "more": more}, asked.project)


def change(site: Site, asked: Asked) -> Page:
    """One change."""
    told = changes.gather(site.database, site.store, site.home.lines, asked.project, asked.path["number"])
    known = told.change
    title = f"Change {known.number} of {asked.project}"
    said = f"change {known.number}: {known.state}"
    follows = "" if known.ended_us is not None else known.id
    return Page("change", title, {"told": told}, asked.project, change=follows, said=said)


def run_list(site: Site, asked: Asked) -> Page:
    """The runs of a project."""
    _known(site, asked.project, ran=True)
    rows, more = _paged(ledger_runs.page(site.database, asked.project, asked.before, MOST + 1))
    return Page("runs", f"Runs of {asked.project}", {"runs": rows, "more": more}, asked.project)


def run(site: Site, asked: Asked) -> Page:
    """One run."""
    told = runs.gather(site.database, site.home.runs, asked.project, asked.path["number"])
    said = f"{told.run.name}: {told.run.state}"
    return Page("run", f"{told.run.name} of {asked.project}", {"told": told}, asked.project, said=said)


def run_log(site: Site, asked: Asked) -> Page:
    """What the steps of a run wrote."""
    told = runs.log(site.database, site.home.runs, asked.project, asked.path["number"])
    return Page("log", f"Log of {told.run.name} of {asked.project}", {"told": told}, asked.project)


def release_list(site: Site, asked: Asked) -> Page:
    """The releases of a project."""
    _known(site, asked.project)
    rows, more = _paged(ledger_releases.page(site.database, asked.project, asked.before, MOST + 1))
    return Page("releases", f"Releases of {asked.project}", {"releases": rows, "more": more}, asked.project)


def release(site: Site, asked: Asked) -> Page:
    """One release."""
    told = releases.gather(site.database, site.store, asked.project, asked.path["release"])
    return Page("release", f"{told.release.name} of {asked.project}", {"told": told}, asked.project)


def difference(site: Site, asked: Asked) -> Page:
    """What lies between two releases."""
    told = releases.difference(site.database, site.store, asked.project, asked.path["now"], asked.path["then"])
    title = f"{told.now.name} to {told.then.name} of {asked.project}"
    return Page("difference", title, {"told": told}, asked.project)


def environment(site: Site, asked: Asked) -> Page:
    """One environment."""
    name = str(asked.path["environment"])
    told = environments.gather(
        site.home, site.database, site.store, site.traffic, asked.project, name, before=asked.before, most=MOST + 1
    )
    past, more = _paged(list(told.past))
    given = {"told": told, "past": past, "more": more.revision.number if more else None}
    given |= {"may": asked.user.may("operator", asked.project, name), "back": actions.ways_back(told)}
    live = f"{name}: {told.state.live.release} is live" if told.state.live else f"{name}: nothing is live"
    return Page("environment", f"{name} of {asked.project}", given, asked.project, every=LIVE, said=live)


def drifting(site: Site, asked: Asked) -> Page:
    """Drift in one environment."""
    name = str(asked.path["environment"])
    told = drift.gather(site.database, site.store, asked.project, name)
    open_now = sum(len(one.subject.open) for one in told.shown)
    said = f"{open_now} columns drift" if open_now else "no column drifts"
    given = {"told": told, "draw": bars.draw}
    return Page("drift", f"Drift in {name} of {asked.project}", given, asked.project, every=DRIFT, said=said)


def service(site: Site, asked: Asked) -> Page:
    """One service in one environment."""
    name = str(asked.path["service"])
    told = services.gather(
        site.home, site.database, site.traffic, asked.project, name, asked.query.get("environment") or None
    )
    given = {"told": told, "name": name, "chart": charts.draw(told.course)}
    return Page("service", f"{name} in {told.environment} of {asked.project}", given, asked.project, every=LIVE)


def job_list(site: Site, asked: Asked) -> Page:
    """The jobs of a project."""
    _known(site, asked.project)
    now_us = clock.now_us()
    given = {"jobs": jobs.listing(site.database, asked.project, now_us=now_us), "now_us": now_us}
    return Page("jobs", f"Jobs of {asked.project}", given, asked.project)


def job(site: Site, asked: Asked) -> Page:
    """One job in one environment; in the last one that has it where none is named."""
    name = str(asked.path["job"])
    places = [one.environment for one in jobs.listing(site.database, asked.project) if one.name == name]
    chosen = asked.query.get("environment") or next(reversed(places), "")
    if not chosen:
        raise errors.NotFound(f"nothing that is live in {asked.project} has a job {name}", hint="ciranda job list")
    view = job_views.gather(site.database, site.store, asked.project, chosen, name)
    given = {"view": view, "environments": places, "now_us": clock.now_us()}
    return Page("job", f"{name} in {chosen} of {asked.project}", given, asked.project)


def incident_list(site: Site, asked: Asked) -> Page:
    """What went wrong in a project, what is planned because of it, and who is told."""
    _known(site, asked.project)
    told = feedback.front(site.home, site.database, asked.project, asked.before, MOST + 1)
    rows, more = _paged(list(told.incidents))
    said = f"{asked.project}: {told.open} open" if told.open else f"{asked.project}: no open incident"
    given = {"told": replace(told, incidents=tuple(rows)), "more": more.number if more else None}
    return Page("incidents", f"Incidents of {asked.project}", given, asked.project, said=said)


def incident(site: Site, asked: Asked) -> Page:
    """One incident with its timeline."""
    _known(site, asked.project)
    reading = sampling.of_home(site.home)
    told = feedback_views.incident(
        site.database, asked.project, asked.path["number"],
        failed=lambda one: feedback_views.failed_requests(reading, one, clock.now_us()),
    )  # fmt: skip
    title = f"Incident {told.incident.number} of {asked.project}"
    said = f"incident {told.incident.number}: {told.incident.state}"
    return Page("incident", title, {"told": told, "now_us": clock.now_us()}, asked.project, said=said)


def delivery(site: Site, asked: Asked) -> Page:
    """How often, how fast, how well, how soon again."""
    _known(site, asked.project)
    text = asked.query.get("days", "")
    days = float(text) if text.isascii() and text.isdecimal() and len(text) <= 4 else 30.0
    told = feedback.delivery(site.database, site.store, asked.project, asked.query.get("environment", ""), days)
    return Page("delivery", f"Delivery of {asked.project}", {"told": told, "how": feedback.HOW}, asked.project)


def users(site: Site, asked: Asked) -> Page:
    """Who there is, and what each may do where."""
    told = people.People(site.database).listing(asked.user)
    return Page("users", "Users", {"users": told["users"]})


def audit_log(site: Site, asked: Asked) -> Page:
    """Who did what, the newest first; the chains are verified by `ciranda audit`, which takes longer."""
    wanted = audit.Asked(
        actor=asked.query.get("actor", ""), project=asked.query.get("project", ""), kind=asked.query.get("kind", ""),
        before=asked.before, most=MOST, verify=False,
    )  # fmt: skip
    log = audit.gather(site.database, wanted, sees=partial(people.sees, asked.user))
    return Page("audit", "Audit log", {"log": log, "asked": wanted})


def metrics(site: Site, asked: Asked) -> Page:
    """The figures of one service in one environment, in the last one where none is named."""
    name = str(asked.path["service"])
    reading = sampling.of_home(site.home)
    place, span = asked.query.get("environment", ""), asked.query.get("since", "")
    told = figures.gather(site.database, reading, asked.project, name, place, span)
    drawn = {}
    for row in told.rows:
        changed = row.figure.change.at_us if row.figure.change else None
        drawn[row.figure.name] = curves.draw(row.figure.values, told.told.times, changed)
    tops = {name: figures.said(name, curve.top) for name, curve in drawn.items() if curve}
    given = {"told": told, "curves": drawn, "tops": tops}
    return Page(
        "figures",
        f"Metrics of {name} in {told.told.environment} of {asked.project}",
        given,
        asked.project,
        every=SLOWLY,
    )


def alert_list(site: Site, asked: Asked) -> Page:
    """What fires, waits, is silenced and was."""
    _known(site, asked.project)
    told = alerts.gather(site.database, asked.project, past=MOST)
    firing = sum(len(some) for some in told.groups.values())
    said = f"{firing} alerts fire" if firing else "nothing is alerting"
    return Page("alerts", f"Alerts of {asked.project}", {"told": told}, asked.project, every=SLOWLY, said=said)


View = Callable[[Site, Asked], Page]
ROUTES: Mapping[str, View] = {
    "/": front,
    "/-/users": users,
    "/-/audit": audit_log,
    "/{project:str}": project,
    "/{project:str}/changes": change_list,
    "/{project:str}/changes/{number:int}": change,
    "/{project:str}/runs": run_list,
    "/{project:str}/runs/{number:int}": run,
    "/{project:str}/runs/{number:int}/log": run_log,
    "/{project:str}/releases": release_list,
    "/{project:str}/releases/{release:str}": release,
    "/{project:str}/diff/{now:str}/{then:str}": difference,
    "/{project:str}/environments/{environment:str}": environment,
    "/{project:str}/environments/{environment:str}/drift": drifting,
    "/{project:str}/services/{service:str}": service,
    "/{project:str}/services/{service:str}/metrics": metrics,
    "/{project:str}/alerts": alert_list,
    "/{project:str}/incidents": incident_list,
    "/{project:str}/incidents/{number:int}": incident,
    "/{project:str}/delivery": delivery,
    "/{project:str}/jobs": job_list,
    "/{project:str}/jobs/{job:str}": job,
}


def _paged(rows: list[Any]) -> tuple[list[Any], Any]:
    """The rows of one page, and the last of them if there are more."""
    return rows[:MOST], rows[MOST - 1] if len(rows) > MOST else None


def _known(site: Site, name: str, *, ran: bool = False) -> None:
    """Raises errors.NotFound for a project that was never pushed here (nor, if `ran`, has run here)."""
    if ledger_changes.project(site.database, name) is None and not (
        ran and ledger_runs.history(site.database, name, 1)
    ):
        raise errors.NotFound(f"there is no project {name} in this home", hint="what there is: ciranda status")


def _said(found: loop.Front) -> str:
    """The state of the loop in a sentence."""
    told = []
    for one in found.loops:
        parts = [f"{place.name} {_place(place)}" for place in one.project.environments]
        parts += list(one.project.waiting)
        told.append(f"{one.project.name}: {', '.join(parts) or 'nothing is delivered yet'}")
    return ". ".join(told)


def _place(place: status.Environment) -> str:
    live = place.live.release if place.live else "empty"
    going = f", {place.target.release} on its way" if place.target else ""
    failed = f", {place.failed.release} failed" if place.failed else ""
    return f"{live}{going}{failed}{', held' if place.held else ''}"
