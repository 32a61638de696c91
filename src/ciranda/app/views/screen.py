"""The screen of `ciranda status`: pure, from the state of the loop to lines."""

from datetime import datetime, timedelta

from ciranda.app.views.status import Environment, Project, Service, Status, plural
from ciranda.environment.jobs import Listed
from ciranda.environment.times import SECOND


def lines(status: Status, *, width: int = 80) -> list[str]:
    """The screen, at most 80 columns where names allow it. Pure."""
    found: list[str] = []
    for project in status.projects:
        found += [*_screen(project, status, width), ""]
    if not status.projects:
        found += ["nothing was pushed here yet: git push ciranda main", ""]
    if not status.server:
        found += ["no server runs: ciranda up", ""]
    return found[:-1]


def _screen(project: Project, status: Status, width: int) -> list[str]:
    owner = f"owner {project.owner}" if project.owner else ""
    found = [f"{project.name}{owner:>{width - len(project.name)}}".rstrip()]
    names = [place.name for place in project.environments]
    pad = max([4, *(len(name) for name in names), len(project.branch.name) if project.branch else 0])
    if project.branch is not None:
        branch = project.branch
        right = f"{ago(status.at_us - branch.at_us)}   ✓ gate"
        room = width - len(right)
        left = f"  {branch.name:<{pad}}  {branch.commit}  {branch.subject}"
        found.append(f"{left[: room - 2]:<{room}}{right}")
    for place in project.environments:
        found += _place(place, status, pad)
    found.append(f"  {'now':<{pad}}  {', '.join(_now(project))}")
    return found


def _place(place: Environment, status: Status, pad: int) -> list[str]:
    at_us, blank = status.at_us, " " * (pad + 4)
    found = []
    if place.live is None:
        found.append(f"  {place.name:<{pad}}  {'destroyed' if place.gone else 'nothing is live yet'}")
    else:
        live = place.live
        text = f"  {place.name:<{pad}}  {live.release:<5} #{live.revision:<4} since {lasted(at_us - live.since_us)}"
        parts = [f"✓ {place.verified}"] if place.verified else []
        parts += [f"{release} warm for {lasted(until - at_us)}" for release, until in place.warm if until > at_us]
        found.append("   ".join([text, *parts]))
    if place.held:
        found.append(f"{blank}! {place.held}   (ciranda hold {place.name} --release)")
    if place.frozen:
        found.append(f"{blank}! frozen {place.frozen}")
    if place.target is not None:
        step = place.target
        found.append(f"{blank}● {step.release} #{step.revision} {step.text} for {lasted(at_us - step.since_us)}")
    if place.failed is not None:
        step = place.failed
        found.append(f"{blank}✗ {step.release} #{step.revision} failed {ago(at_us - step.since_us)}: {step.text}")
    named = [*(service.name for service in place.services), *(job.name for job in place.jobs)]
    wide = max((len(name) for name in named), default=0)
    found += [f"{blank}{_service(service, wide, status.server)}" for service in place.services]
    for job in place.jobs:
        found += [f"{blank}{line}" for line in job_lines(place.name, job, wide, at_us)]
    return found


def _service(service: Service, wide: int, server: bool) -> str:
    mark = "✓" if service.routed >= service.wanted else "!" if service.routed or service.instead else "✗"
    text = f"{service.name:<{wide}}  {service.routed} of {plural(service.wanted, 'instance')}"
    parts = [f"{text} {mark}" if server else f"{text} (no server)"]
    if service.instead:
        parts.append(f"{service.instead} answers")
    if service.traffic is not None and service.traffic.requests:
        seen = service.traffic
        rate = f" ({seen.per_second:,.0f}/s)" if seen.per_second is not None and seen.per_second >= 1 else ""
        parts += [
            f"{plural(seen.requests, 'request')}{rate}",
            f"{seen.failed:,} failed",
            f"p99 {_milliseconds(seen.p99_ms)}",
        ]
    return "  ".join(parts)


def _now(project: Project) -> list[str]:
    held = [place.name for place in project.environments if place.held]
    crashed = [place for place in project.environments if place.crashes]
    late = [
        f"{job.name} is late in {place.name}" for place in project.environments for job in place.jobs if job.late_us
    ]
    said = [", ".join(project.waiting) if project.waiting else "nothing is waiting"]
    said.append(f"{' and '.join(held)} {'is' if len(held) == 1 else 'are'} held" if held else "nothing is held")
    said += late
    said += [f"{plural(place.crashes, 'crash', 'crashes')} in {place.name} in the last 10 min" for place in crashed]
    return said


def job_lines(environment: str, job: Listed, wide: int, at_us: int) -> list[str]:
    """A job: when it is due next, what goes on, how it ended last; and what is late or why it failed. Pure."""
    parts = [f"{job.name:<{wide}}"]
    active, last = job.active, job.last
    if active is not None and active.retry_us is not None:
        parts.append(f"● tried again in {lasted(active.retry_us - at_us)}")
    elif active is not None:
        parts.append(f"● running for {lasted(at_us - active.started_us)}" if active.started_us else "● about to run")
    if job.next_us is not None:
        parts.append(f"next {_next(job)} (in {lasted(job.next_us - at_us)})")
    elif job.schedule is None:
        parts.append("by hand")
    if last is not None and last.ended_us is not None:
        mark = "✓" if last.state == "passed" else "✗"
        since = at_us - last.ended_us
        when = ago(since) if job.last_days < 1 or since < 6 * 3600 * SECOND else _days(job.last_days)
        parts.append(f"last {mark} {when} ({_took(last.seconds or 0)})")
    found = ["   ".join(parts)]
    reason = active.reason if active is not None else last.reason if last is not None else ""
    if reason:
        found.append(f"{'':<{wide}}   ✗ {reason}")
    if job.late_us is not None:
        found.append(f"{'':<{wide}}   ! not there by {job.ready_by}: ciranda job show {job.name} -e {environment}")
    return found


def _next(job: Listed) -> str:
    """`05:00`, on another day than tomorrow `Mon 05:00`, later `2026-12-01 05:00`: on the clock of its schedule."""
    due, now = datetime.fromisoformat(job.next_at[:16]), datetime.fromisoformat(job.now_at[:16])
    if due - now < timedelta(days=1):
        return f"{due:%H:%M}"
    return f"{due:%a %H:%M}" if due - now < timedelta(days=7) else f"{due:%Y-%m-%d %H:%M}"


def _took(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 9.95 else lasted(int(seconds * SECOND))


def _days(days: int) -> str:
    return "yesterday" if days == 1 else f"{days} days ago"


def ago(us: int) -> str:
    """`4 min ago`."""
    return f"{lasted(us)} ago"


def lasted(us: int) -> str:
    """A time in its largest whole unit: `12 s`, `3 min`, `2 h`, `5 days`."""
    seconds = max(0, us // SECOND)
    if seconds < 90:
        return f"{seconds} s"
    if seconds < 90 * 60:
        return f"{seconds // 60} min"
    if seconds < 36 * 3600:
        return f"{seconds // 3600} h"
    return f"{seconds // 86400} days"


def _milliseconds(value: float) -> str:
    return f"{value:,.0f} ms" if value >= 1 else f"{value:.2f} ms"
