"""What a step costs: 1,000 trivial steps and a chain of 200, stored and recorded; and a run in which nothing changed. Beside doit.

    python benchmarks/steps.py [--rounds 5] [--json]

Whole processes in turns, each first run in a new home. A step's cost is that of the whole run, less that of a project with one step.
`nothing` is `ciranda run` again, with no file touched; `looked up` is the same with `--json`, which computes and looks up every key.
Bounds: 0.5 ms a step (1,000 wide), 150 ms for nothing. Exits 1 if one is missed.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peers

WIDE, CHAIN = 1000, 200
BOUNDS = {"wide": 0.5, "nothing": 150.0}  # ms a step; ms
CIRANDA = Path(sys.executable).parent / "ciranda"
SETTLE = 2.5  # seconds after which the times of files tell whether they were touched


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-steps-") as folder:
        found = measure(Path(folder), asked.rounds)
    print(json.dumps(found) if asked.json else shown(found))
    return 1 if found["missed"] else 0


def measure(folder: Path, rounds: int) -> dict[str, Any]:
    """Medians over the rounds, and the bounds that were missed."""
    takers: dict[str, Ciranda | Doit] = {"ciranda": Ciranda(folder)}
    missing = {}
    try:
        takers["doit"] = Doit(folder, peers.python("doit"))
    except peers.Missing as why:
        missing["doit"] = str(why)
    time.sleep(SETTLE)
    taken: dict[str, dict[str, list[float]]] = {name: {} for name in takers}
    for _ in range(rounds):
        for name, taker in takers.items():
            for what, seconds in taker.round().items():
                taken[name].setdefault(what, []).append(seconds)
    medians = {name: {what: statistics.median(all_) for what, all_ in found.items()} for name, found in taken.items()}
    figures = {name: costs(found) for name, found in medians.items()}
    missed = [what for what, bound in BOUNDS.items() if figures["ciranda"][what] > bound]
    return {"rounds": rounds, "figures": figures, "bounds": BOUNDS, "missed": missed, "missing": missing}


def costs(seconds: dict[str, float]) -> dict[str, float]:
    """Milliseconds: a step wide and in a chain, and whole runs."""
    found = {
        "wide": (seconds["wide"] - seconds["one"]) / (WIDE - 1),
        "chain": (seconds["chain"] - seconds["one"]) / (CHAIN - 1),
        "wide, whole": seconds["wide"],
        "one, whole": seconds["one"],
        **{what: seconds[what] for what in ("nothing", "looked up") if what in seconds},
    }
    return {what: round(value * 1000, 3) for what, value in found.items()}


class Ciranda:
    """Three projects: 1,000 steps that take nothing, 200 in a chain, and one."""

    def __init__(self, folder: Path) -> None:
        self._home = folder / "home"
        self._projects = {"one": steps(1), "wide": steps(WIDE), "chain": steps(CHAIN, chain=True)}
        self._folder = folder
        for name, text in self._projects.items():
            project = folder / name
            project.mkdir()
            (project / "ciranda.toml").write_text(f'[project]\nname = "{name}"\npipeline = "pipeline.py"\n')
            (project / "pipeline.py").write_text(text)
            subprocess.run(["git", "init", "-q", "-b", "main"], cwd=project, check=True)

    def round(self) -> dict[str, float]:
        found = {}
        for name in self._projects:
            shutil.rmtree(self._home, ignore_errors=True)
            found[name] = self._run(name)
        shutil.rmtree(self._home, ignore_errors=True)
        self._run("wide")
        self._run("wide")
        return found | {"nothing": self._run("wide"), "looked up": self._run("wide", "--json")}

    def _run(self, name: str, *options: str) -> float:
        environment = os.environ | {"CIRANDA_HOME": str(self._home)}
        return timed([str(CIRANDA), "run", *options], self._folder / name, environment)


class Doit:
    """The same three as doit's tasks, whose actions are Python functions; what has run is up to date."""

    def __init__(self, folder: Path, python: Path) -> None:
        self._python = python
        self._folder = folder / "doit"
        for name, number, chain in (("one", 1, False), ("wide", WIDE, False), ("chain", CHAIN, True)):
            (self._folder / name).mkdir(parents=True)
            (self._folder / name / "dodo.py").write_text(tasks(number, chain=chain))

    def round(self) -> dict[str, float]:
        found = {}
        for name in ("one", "wide", "chain"):
            for path in (self._folder / name).glob(".doit.db*"):
                path.unlink()
            found[name] = self._run(name)
        return found | {"nothing": self._run("wide")}

    def _run(self, name: str) -> float:
        return timed([str(self._python), "-m", "doit", "-v", "0"], self._folder / name, dict(os.environ))


def steps(number: int, *, chain: bool = False) -> str:
    """A pipeline of steps that return a number."""
    return "from ciranda import step\n" + "".join(
        f"\n\n@step\ndef s{n}({f's{n - 1}' if chain and n else ''}):\n    return {n}\n" for n in range(number)
    )


def tasks(number: int, *, chain: bool) -> str:
    """A `dodo.py` of as many tasks that each return a dictionary, which doit keeps."""
    after = '"task_dep": [f"s:{n - 1}"] if n else [], ' if chain else ""
    return (
        "from doit.tools import run_once\n\n\ndef task_s():\n"
        f"    for n in range({number}):\n"
        f'        yield {{"name": str(n), "actions": [(lambda n: {{"n": n}}, [n])], {after}"uptodate": [run_once]}}\n'
    )


def timed(command: Sequence[str], folder: Path, environment: dict[str, str]) -> float:
    """Seconds that a command takes as a whole process."""
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def shown(found: dict[str, Any]) -> str:
    lines = []
    for name, figures in found["figures"].items():
        lines.append(f"  {name}")
        for what, value in figures.items():
            bound = f"   at most {found['bounds'][what]:g}" if name == "ciranda" and what in found["bounds"] else ""
            unit = "ms a step" if what in ("wide", "chain") else "ms"
            lines.append(f"    {what:<14}{value:>10.2f} {unit}{bound}")
    lines += [f"  ✗ missed: {what}" for what in found["missed"]]
    lines += [f"  {name} is missing: {why}" for name, why in found["missing"].items()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
