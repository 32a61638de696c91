"""Fetches all that the demo needs while there is a network: the flights, and every package of the example's own lock."""

from collections.abc import Callable
from pathlib import Path

from ciranda.demo import data, flights
from ciranda.demo.stage import Stage


def prepare(report: Callable[[str], None], home: Path | None = None) -> None:
    """Run the example once, in a home of its own: what that needs is then in uv's cache.

    Raises errors.CirandaError where something cannot be fetched.
    """
    found = data.ensure(report)
    stage = Stage("flights", home)
    try:
        flights.story(found).write(stage.tree)
        stage.must(stage.git("init", "-q", "-b", "main"), "git init")
        stage.commit("The flights of 2013")
        report("building the environment of the example, and running it once")
        stage.must(stage.ciranda("run", "--json", timeout=600.0), "ciranda run")
    finally:
        stage.close()
