"""Which lines `ciranda logs` is asked for: the options that a run, a job, a service and the server have in common."""

import argparse
import re
from collections.abc import Callable

from ciranda.cli import moments
from ciranda.kernel import clock, errors
from ciranda.service import logs, said

LINES = 100  # lines of each instance that are shown where nothing else is asked for


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "--since", metavar="WHEN", help="only what was written since: 15m, 1h, 2d ago, 05:00, 2026-11-23"
    )
    parser.add_argument("--search", metavar="TEXT", help="only lines with this text, in capitals or not")
    parser.add_argument("--grep", metavar="REGEX", help="only lines in which this regular expression is found")
    said_of = f"only lines of this level or a worse one: {', '.join(said.LEVELS)}"
    parser.add_argument("--level", choices=(*said.LEVELS, "warning"), metavar="LEVEL", help=said_of)
    parser.add_argument(
        "-n", "--lines", type=int, metavar="COUNT", help=f"the last lines of each ({LINES}, with --since all)"
    )


def wanted(given: argparse.Namespace) -> logs.Wanted:
    """What is asked for. Raises errors.Usage."""
    if given.lines is not None and given.lines < 0:
        raise errors.Usage("--lines is a number from 0", hint="ciranda logs --help")
    since_us = None if given.since is None else moments.since(given.since, clock.now_us())
    level = "warn" if given.level == "warning" else given.level
    return logs.Wanted(since_us, level, _matches(given.search, given.grep))


def most(given: argparse.Namespace) -> int | None:
    """How many lines of each; None: all."""
    if given.lines is not None or given.since is None:
        return LINES if given.lines is None else int(given.lines)
    return None


def _matches(text: str | None, regex: str | None) -> Callable[[str], bool] | None:
    tests: list[Callable[[str], bool]] = []
    if text is not None:
        folded = text.casefold()
        tests.append(lambda line: folded in line.casefold())
    if regex is not None:
        try:
            found = re.compile(regex)
        except re.error as error:
            raise errors.Usage(
                f"--grep {regex}: this is not a regular expression: {error}",
                hint=f"plain text: ciranda logs --search {regex!r}",
            ) from None
        tests.append(lambda line: found.search(line) is not None)
    return (lambda line: all(test(line) for test in tests)) if tests else None
