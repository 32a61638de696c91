"""From verb to module: the table, the help, and the one boundary at which expected errors become a line."""

import argparse
import difflib
import importlib
import io
import os
import re
import sys
from typing import NoReturn, Protocol

from ciranda.kernel import errors, files

# verb → what it does, in one line. Its module is `ciranda.cli.<verb>`; groups are printed in this order.
VERBS: dict[str, dict[str, str]] = {
    "build": {
        "init": "write a project that works, or add one to a repository",
        "run": "run the pipeline and its checks, only what changed",
        "show": "show what there is: assets, runs, rows, evidence",
        "explain": "say why a step runs again",
        "logs": "print or follow what a run or a service wrote",
        "data": "large files beside Git: add, push, pull, status",
    },
    "deploy": {
        "status": "the one screen that tells the state of the loop",
        "plan": "what a release would change in an environment",
        "apply": "do what a plan says, and nothing else",
        "promote": "plan a release for an environment and apply the plan",
        "approve": "let a plan be applied",
        "diff": "what is different between releases, environments or runs",
        "destroy": "take everything out of an environment",
        "rollout": "how far a release is on its way in: show, pause, resume, abort",
        "rollback": "go back to an older release, and hold",
        "hold": "let no new release into an environment, or let them in again",
        "config": "the configuration of an environment: list, set, unset",
        "secret": "sealed values that services get as files: set, list",
        "infra": "the Terraform of an environment: state, history, plan, drift, unlock, log",
        "clone": "make an environment from what another one runs",
        "scale": "set how many instances of a service run",
        "job": "what an environment makes anew: list, run, retry, show",
        "reaction": "what is done by itself when production changes: list, show, approve, decline",
        "drift": "which column is not what it was, since when, compared with what",
        "predictions": "what services predicted, and how good it was",
        "wait": "wait until a release is live somewhere",
    },
    "operate": {
        "metrics": "rate, errors, latency and saturation of services, with their trend",
        "alert": "what fires and what is watched: list, rules, ack, silence",
    },
    "learn": {
        "notify": "on which channels people are told what happens: list, test",
        "incident": "what went wrong: list, show, open, note, resolve, review",
        "item": "pieces of planned work: list, add, close",
        "delivery": "how often, how fast, how well: DORA's four figures",
    },
    "server": {
        "up": "start the server of a home",
        "down": "stop it",
        "open": "open the page in a browser, signed in",
        "login": "keep a token for a server, for this command line and for Git",
        "user": "who may do what where: list, add, grant, revoke, remove",
        "token": "what users are known by: create, list, revoke",
        "audit": "who did what and when, and whether that is as it was written",
        "export": "rules for Prometheus and dashboards for Grafana",
        "doctor": "what is wrong with the machine, the home and the project, and how to mend it",
        "gc": "take away what need not be kept, and say why",
        "backup": "write all of a home into one file, while it runs",
        "restore": "make a home of a backup, and compare it",
        "demo": "play the whole loop on real flights",
    },
}


class Verb(Protocol):
    """A module of the command line."""

    EXAMPLE: str

    def arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare what the verb takes; `--home` and `--json` are there already."""

    def main(self, given: argparse.Namespace) -> int:
        """Do it and return the exit status."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        said = message
        for kind, words in (("int", "a whole number"), ("float", "a number")):
            if (found := re.fullmatch(rf"argument (.+): invalid {kind} value: (.+)", message)) is not None:
                said = f"{found[1]}: {found[2]} is not {words}"
        raise errors.Usage(said, hint=f"{self.prog} --help")


def run(given: list[str]) -> int:
    """Find the verb, run it, and make a line of what it refuses, or of an output that nobody takes."""
    prepare_output()
    try:
        try:
            return _run(given)
        finally:
            sys.stdout.flush()  # here, where it can still be told that it failed
    except errors.CirandaError as error:
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; what was recorded is kept\n")
        return 130
    except BrokenPipeError:
        _give_up_output()
        return 141
    except OSError as error:
        said = files.no_room(error)
        if said is None:
            raise
        _give_up_output()
        report(errors.StorageFull(f"{said}, so that not everything was written"))
        return errors.StorageFull.exit_code


def prepare_output() -> None:
    """Streams that are there, and that write what they cannot encode as `?` rather than fail."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - closed by the end of the process
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _run(given: list[str]) -> int:
    table = {verb: line for group in VERBS.values() for verb, line in group.items()}
    if not given or given[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return 0 if given else errors.Usage.exit_code
    verb = given[0]
    if verb not in table:
        near = difflib.get_close_matches(verb, table, 1)
        raise errors.Usage(
            f"there is no command {verb!r}", hint=f"did you mean: ciranda {near[0]}" if near else "ciranda --help"
        )
    module = load(verb)
    parser = build(verb, table[verb], module)
    return module.main(parser.parse_args(given[1:]))


def _give_up_output() -> None:
    """What is still to be written goes nowhere, so that the end of the process does not try again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load(name: str) -> Verb:
    """A module of the command line, by its name in this package: nothing is imported that the verb does not need."""
    module: Verb = importlib.import_module(f"ciranda.cli.{name}")
    return module


def build(verb: str, line: str, module: Verb) -> argparse.ArgumentParser:
    """The parser of one verb."""
    parser = _Parser(
        prog=f"ciranda {verb}",
        description=f"{line[0].upper()}{line[1:]}.",
        epilog=f"example:\n{module.EXAMPLE}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--home", metavar="DIR", help="the home to use (default: $CIRANDA_HOME, else ~/.ciranda)")
    parser.add_argument("--json", action="store_true", help="print the same facts as JSON")
    module.arguments(parser)
    return parser


def overview() -> str:
    """`ciranda --help`."""
    lines = [
        "usage: ciranda VERB [OPTIONS]",
        "",
        "From `git push` to a model, a table or a service in production: watched, and back when it is wrong.",
        "",
    ]
    for group, verbs in VERBS.items():
        lines.append(f"{group}:")
        lines.extend(f"  {verb:<10}{line}" for verb, line in verbs.items())
        lines.append("")
    lines += ["example:", "  ciranda init flights && cd flights && ciranda run", "", "more: ciranda VERB --help"]
    return "\n".join(lines) + "\n"


def report(error: errors.CirandaError) -> None:
    """What happened, where, and the next command, on standard error; of a declaration, everything that is wrong with it."""
    told = getattr(error, "problems", None)
    facts = [(one.where, one.what, one.hint) for one in told] if told else [(error.where, str(error), error.hint)]
    for where, what, hint in facts:
        sys.stderr.write(f"{where}  {what}\n" if where else f"{what}\n")
        if hint:
            sys.stderr.write(f"{'':17}{hint}\n")
