"""The screen of `ciranda status`: pure, from the state of the loop to lines."""

from ciranda.app.views.status import Environment, Project, Service, Status, plural
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
        found.append(f"  {place.name:<{pad}}  nothing is live yet")
    else:
        live = place.live
        text = f"  {place.name:<{pad}}  {live.release:<5} #{live.revision:<4} since {lasted(at_us - live.since_us)}"
        parts = [f"✓ {place.verified}"] if place.verified else []
        parts += [f"{release} warm for {lasted(until - at_us)}" for release, until in place.warm if until > at_us]
        found.append("   ".join([text, *parts]))
    if place.held:
        found.append(f"{blank}! {place.held}   (ciranda hold {place.name} --release)")
    if place.target is not None:
        step = place.target
        found.append(f"{blank}● {step.release} #{step.revision} {step.text} for {lasted(at_us - step.since_us)}")
    if place.failed is not None:
        step = place.failed
        found.append(f"{blank}✗ {step.release} #{step.revision} failed {ago(at_us - step.since_us)}: {step.text}")
    wide = max((len(service.name) for service in place.services), default=0)
    found += [f"{blank}{_service(service, wide, status.server)}" for service in place.services]
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
    said = [", ".join(project.waiting) if project.waiting else "nothing is waiting"]
    said.append(f"{' and '.join(held)} {'is' if len(held) == 1 else 'are'} held" if held else "nothing is held")
    said += [f"{plural(place.crashes, 'crash', 'crashes')} in {place.name} in the last 10 min" for place in crashed]
    return said


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
