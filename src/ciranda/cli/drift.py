"""`ciranda drift`: which column of what a service is asked, or answers, or a job makes, is not what it was."""

import argparse
import json
from pathlib import Path

from ciranda.app import home as homes
from ciranda.app.views import drift as views
from ciranda.app.views import project as projects
from ciranda.app.views import screen
from ciranda.cli import words
from ciranda.kernel import clock, errors
from ciranda.monitor.windows.episodes import Episode

EXAMPLE = """\
  ciranda drift -e prod                       # every service, and what jobs make
  ciranda drift delays -e prod                # one, with pictures of the columns that drift
  ciranda drift delays -e prod --column temp  # one column in each window, whether it drifts or not"""
_WIDE = 24  # characters of a bar
_MARKS = {"same": "✓", "drifted": "!", "faulty": "!", "unsure": "?", "uncompared": "–"}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "subject", nargs="?", default="", metavar="SERVICE|ASSET", help="a service, or what a job makes (default: all)"
    )
    parser.add_argument("-e", "--environment", metavar="NAME", help="the environment")
    parser.add_argument("--project", metavar="NAME", help="the project, where the home has several")
    parser.add_argument("--column", default="", metavar="NAME", help="this column, in pictures")


def main(given: argparse.Namespace) -> int:
    """0: nothing drifts; 2: something does. Nothing is changed and no server is needed."""
    if not given.environment:
        raise errors.Usage(
            "say of which environment", hint=f"ciranda drift {given.subject or ''} -e prod".replace("  ", " ")
        )
    if given.column and not given.subject:
        raise errors.Usage("--column needs a service or an asset", hint="ciranda drift SERVICE -e prod --column …")
    with homes.opened(homes.locate(given.home)) as (database, store):
        project = projects.choose(database, given.project, Path.cwd())
        found = views.gather(database, store, project, given.environment, given.subject, given.column)
    drifts = any(one.open for one in found)
    if given.json:
        told = {"project": project, "environment": given.environment, "subjects": [one.document() for one in found]}
        words.out(json.dumps(told, ensure_ascii=False))
        return 2 if drifts else 0
    if not found:
        words.out(f"nothing in {given.environment} of {project} is compared with anything")
        words.out("keep what a service predicts: predictions = {} in its section of ciranda.toml")
    for one in found:
        _subject(given, project, one)
    return 2 if drifts else 0


def _subject(given: argparse.Namespace, project: str, one: views.Subject) -> None:
    state = (
        f"! {words.count(len(one.open), 'column')} drift{'s' * (len(one.open) == 1)}"
        if one.open
        else "✓ no column drifts"
    )
    unsure = [window for window in one.windows if window.inconclusive]
    if not one.open and (not one.windows or len(unsure) == len(one.windows)):
        state = "? inconclusive"
    words.out(f"{project} {one.name} in {given.environment}   {state}")
    if one.waits:
        words.out(f"  nothing is compared yet: {one.waits}")
    for episode in one.open:
        _episode(episode)
    if given.column:
        for window in one.windows:
            _window(window)
    elif given.subject:
        for window, seen in views.worst(one):
            words.out("")
            words.out(f"  {seen.name}   {window.said} beside {window.reference}")
            _picture(seen)
    for line in _compared(one):
        words.out(f"  {line}")
    for episode in one.over:
        ended = _ago(episode.over_us or 0)
        words.out(f"  over    {episode.column_name}: drifted from {_ago(episode.found_us)}, over {ended}")


def _episode(one: Episode) -> None:
    words.out(f"  ! {one.text}")
    words.out(f"      since {_ago(one.found_us)} in {one.release}, compared with {one.reference}")


def _window(window: views.Window) -> None:
    for seen in window.columns:
        words.out("")
        words.out(
            f"  {_MARKS[seen.state]} {seen.name}   {window.said}, {window.rows:,} rows, beside {window.reference}"
        )
        if seen.value is not None and seen.floor is not None:
            words.out(f"    {seen.measure.replace('_', ' ')} {seen.value:.2f}; by chance up to {seen.floor:.2f}")
        for text in seen.texts:
            words.out(f"    {text}")
        if seen.note:
            words.out(f"    {seen.note}")
        _picture(seen)


def _picture(seen: views.Seen) -> None:
    """Both distributions side by side, a line a bar, with the shares as text."""
    if not seen.bars:
        return
    most = max(max(bar.reference, bar.window) for bar in seen.bars) or 1.0
    wide = max(9, *(len(words.clip(bar.label, 18)) for bar in seen.bars))
    words.out(f"    {'':<{wide}}  {'reference':<{_WIDE + 6}}  now")
    for bar in seen.bars:
        left, right = (f"{'█' * round(_WIDE * share / most):<{_WIDE}}" for share in (bar.reference, bar.window))
        line = f"    {words.clip(bar.label, 18):<{wide}}  {left} {bar.reference:>5.0%}  {right} {bar.window:>5.0%}"
        words.out(line.rstrip())


def _compared(one: views.Subject) -> list[str]:
    """What was looked at, a line a window."""
    lines: list[str] = []
    for window in one.windows:
        drifting = sum(seen.state in ("drifted", "faulty") for seen in window.columns)
        what = f"{window.said}{_rows(window)} beside {window.reference} ({window.reference_rows:,} rows)"
        told = window.inconclusive or f"{drifting} of {words.count(len(window.columns), 'column')}"
        lines.append(
            f"{'looked' if not lines else '':<7} {what}: {'inconclusive, ' if window.inconclusive else ''}{told}"
        )
    return lines


def _rows(window: views.Window) -> str:
    return "" if f"{window.rows:,}" in window.said else f" ({window.rows:,} rows)"


def _ago(at_us: int) -> str:
    return screen.ago(clock.now_us() - at_us)
