"""`ciranda demo`: the whole loop played on real flights, judged from outside."""

import argparse
import json
import signal
import sys
from pathlib import Path

from ciranda.demo import acts, data, flights, play, prepare
from ciranda.demo.screen import Screen

EXAMPLE = """\
  ciranda demo            # four minutes, and nothing is left behind
  ciranda demo --quick    # the first nine acts
  ciranda demo --keep     # leaves everything up, for you to play with"""
INTERRUPTED = 130


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument(
        "--keep", action="store_true", help="leave the server, the repository and the home up at the end"
    )
    parser.add_argument(
        "--break",
        dest="broken",
        type=int,
        choices=range(1, 15),
        metavar="ACT",
        help="break one act (1-14) on purpose, to see that the judge sees it: the demo then ends with 1",
    )
    parser.add_argument("--quick", action="store_true", help="play the first nine acts alone, in under two minutes")
    parser.add_argument(
        "--prepare", action="store_true", help="only fetch what it needs, so that it can be played offline afterwards"
    )


def main(given: argparse.Namespace) -> int:
    """0 only if the outcome of every act was observed. With `--json` what happens goes to standard error."""
    screen = Screen(sys.stderr if given.json else sys.stdout)
    home = Path(given.home).expanduser().absolute() if given.home else None
    if given.prepare:
        prepare.prepare(screen.say, home)
        return 0
    signal.signal(signal.SIGTERM, interrupted)
    try:
        story = flights.story(data.ensure(screen.say))
        script = acts.QUICK if given.quick else acts.ACTS
        said = play.play(story, screen, home=home, keep=given.keep, broken=given.broken, script=script)
    except KeyboardInterrupt:
        screen.say("\nstopped; nothing was left behind")
        return INTERRUPTED
    if given.json:
        sys.stdout.write(json.dumps(said, indent=2, ensure_ascii=False) + "\n")
    return 0 if said["observed"] else 1


def interrupted(_number: int, _frame: object) -> None:
    """SIGTERM cleans up as Ctrl-C does."""
    raise KeyboardInterrupt
