"""`ciranda demo`: the whole loop played on real flights, judged from outside."""

import argparse
import json
import signal
import sys

from ciranda.demo import data, flights, play, prepare
from ciranda.demo.screen import Screen

HELP = "play the whole loop on real flights: push, refuse, swap, roll back, kill"
INTERRUPTED = 130


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--keep", action="store_true", help="leave the server, the repository and the home up at the end"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the summary as JSON; what happens goes to standard error"
    )
    parser.add_argument(
        "--break",
        dest="broken",
        type=int,
        choices=range(1, 8),
        metavar="ACT",
        help="break one act on purpose, to see that the judge sees it: the demo then ends with 1",
    )
    parser.add_argument(
        "--prepare", action="store_true", help="only fetch what it needs, so that it can be played offline afterwards"
    )


def main(arguments: argparse.Namespace) -> int:
    """0 only if the outcome of every act was observed."""
    screen = Screen(sys.stderr if arguments.json else sys.stdout)
    if arguments.prepare:
        prepare.prepare(screen.say)
        return 0
    signal.signal(signal.SIGTERM, interrupted)
    try:
        story = flights.story(data.ensure(screen.say))
        said = play.play(story, screen, keep=arguments.keep, broken=arguments.broken)
    except KeyboardInterrupt:
        screen.say("\nstopped; nothing was left behind")
        return INTERRUPTED
    if arguments.json:
        print(json.dumps(said, indent=2, ensure_ascii=False))  # noqa: T201 - the answer of the command
    return 0 if said["observed"] else 1


def interrupted(_number: int, _frame: object) -> None:
    """SIGTERM cleans up as Ctrl-C does."""
    raise KeyboardInterrupt
