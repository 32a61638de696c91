"""`ciranda metrics`: rate, errors, latency and saturation of services, with their trend."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app import sampling
from ciranda.app.views import figures as views
from ciranda.app.views import project as projects
from ciranda.cli import moments, words
from ciranda.kernel import clock, errors
from ciranda.monitor.alerts import wording

EXAMPLE = (
    "  ciranda metrics\n  ciranda metrics delays -e prod --since 7d\n  ciranda metrics delays --release r41 --json"
)
BARS = "▁▂▃▄▅▆▇█"
_WIDE = 40  # characters of a line of bars


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("service", nargs="?", default="", metavar="SERVICE", help="one service (default: each)")
    parser.add_argument(
        "-e", "--environment", default="", metavar="NAME", help="the environment (default: the last one)"
    )
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument(
        "--since", default="24h", metavar="TIME", help="how far back, or since when: 30min, 24h, 7d, 2026-11-23 (24h)"
    )
    parser.add_argument("--release", default="", metavar="RELEASE", help="of one release alone: r41")


def main(given: argparse.Namespace) -> int:
    """0: printed, also where nothing is known."""
    home = homes.locate(given.home)
    now = clock.now_us()
    since = (now - moments.since(given.since, now)) // 1_000_000
    if not 60 <= since <= 400 * 86_400:
        raise errors.Usage(f"--since {given.since}: metrics are kept from a minute to 400 days", hint="--since 24h")
    with homes.opened(home) as (database, _):
        project = projects.choose(database, given.project, Path.cwd())
        told = views.gather(
            database,
            sampling.of_home(home),
            project,
            given.environment,
            given.service,
            since_us=since * 1_000_000,
            now_us=now,
            release=given.release,
        )
    if given.json:
        words.out(json.dumps(told.document(), ensure_ascii=False))
        return 0
    for line in lines(told, since):
        words.out(line)
    return 0


def lines(told: views.Told, since: int) -> list[str]:
    """The figures as text."""
    of = f" {told.release}" if told.release else ""
    if not told.services:
        return [f"{told.project} {told.environment}{of}: nothing was sampled in {wording.span(since)}"]
    found = []
    for service in told.services:
        named = f"   {', '.join(service.releases)}" if service.releases else ""
        found.append(f"{told.project} {told.environment} {service.name}   last {wording.span(since)}{named}")
        for figure in service.figures:
            value = wording.said(figure.name, figure.whole) if figure.whole is not None else "no data"
            found.append(f"  {figure.name:<10}{value:>10}  {bars(figure.values)}  {_against(figure)}".rstrip())
        found += [f"  {figure.told}" for figure in service.figures if figure.told]
    return found


def _against(figure: views.Figure) -> str:
    if figure.now is None or figure.week is None:
        return ""
    now, week = wording.said(figure.name, figure.now), wording.said(figure.name, figure.week)
    return f"now {now}, its week {week}"


def bars(values: Sequence[float | None], wide: int = _WIDE) -> str:
    """Values as a line of bars, from nothing to the most; where nothing is known there is a dot."""
    few = -(-len(values) // wide) if values else 1
    groups = [[value for value in values[at : at + few] if value is not None] for at in range(0, len(values), few)]
    means = [sum(group) / len(group) if group else None for group in groups]
    most = max((mean for mean in means if mean is not None), default=0.0)
    return "".join(
        "·" if mean is None else BARS[min(int(mean / most * len(BARS)), len(BARS) - 1)] if most else BARS[0]
        for mean in means
    )
