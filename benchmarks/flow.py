"""A pipeline of 100 independent steps, run for the first time and run again, beside the programs that people use for it.

    python benchmarks/flow.py [--steps 100] [--rounds 3] [--json]

Beside doit, Luigi, redun, Snakemake and DVC, each in the form that its own documentation begins with: functions where it has them, else
commands. Whole processes in turns, as many steps for each; what has run is known by each program's own record (an output file, a database,
a lock). A step's cost is that of the first run, less that of a project with one step; doit and Luigi keep no results, only that a step ran.
Bounds: a step of redun, Snakemake and DVC costs at least 5 times as much, and their run in which nothing changed takes at least 5 times
as long. Exits 1 if one is missed or a peer is missing.
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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import Any

import peers
from steps import CIRANDA, SETTLE, steps, tasks

QUIET = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "PYTHONDONTWRITEBYTECODE": ""}
BOUND, BOUNDED = 5.0, ("redun", "snakemake", "dvc")  # times ours
LONGEST = 600  # seconds that one command may take


@dataclass(frozen=True)
class Flow:
    """How one program is asked for a project of so many steps."""

    files: Callable[[int], Mapping[str, str]]
    run: Callable[[Path], Sequence[str]]  # of its interpreter
    prepare: Callable[[Path], Sequence[Sequence[str]]] = lambda _: ()
    variables: Mapping[str, str] = field(default_factory=dict)


def luigi_files(number: int) -> dict[str, str]:
    text = f"""
        import luigi

        class Step(luigi.Task):
            number = luigi.IntParameter()

            def output(self):
                return luigi.LocalTarget(f"out/{{self.number}}")

            def run(self):
                with self.output().open("w") as file:
                    file.write(str(self.number))

        class All(luigi.WrapperTask):
            def requires(self):
                return [Step(number=number) for number in range({number})]
        """
    return {"flow.py": dedent(text)}


def redun_files(number: int) -> dict[str, str]:
    text = f"""
        from redun import task

        redun_namespace = "flow"

        @task()
        def step(number: int) -> int:
            return number

        @task()
        def main() -> list:
            return [step(number) for number in range({number})]
        """
    return {"flow.py": dedent(text)}


def snakemake_files(number: int) -> dict[str, str]:
    text = f"""
        rule all:
            input: expand("out/{{number}}", number=range({number}))

        rule step:
            output: "out/{{number}}"
            shell: "echo {{wildcards.number}} > {{output}}"
        """
    return {"Snakefile": dedent(text)}


def dvc_files(number: int) -> dict[str, str]:
    stages = "".join(
        f"  s{each}:\n    cmd: echo {each} > out/{each}\n    outs:\n      - out/{each}\n" for each in range(number)
    )
    return {"dvc.yaml": f"stages:\n{stages}", "out/.keep": ""}


def module(python: Path, name: str, *arguments: str) -> list[str]:
    """A program of a peer's environment."""
    return [str(python.parent / name), *arguments]


FLOWS = {
    "ciranda": Flow(
        lambda number: {
            "ciranda.toml": '[project]\nname = "flow"\npipeline = "pipeline.py"\n',
            "pipeline.py": steps(number),
        },
        lambda _: [str(CIRANDA), "run"],
        lambda _: [["git", "init", "-q", "-b", "main"]],
        {"CIRANDA_HOME": "../home"},
    ),
    "doit": Flow(
        lambda number: {"dodo.py": tasks(number, chain=False)}, lambda python: [str(python), "-m", "doit", "-v", "0"]
    ),
    "luigi": Flow(
        luigi_files,
        lambda python: module(python, "luigi", "--module", "flow", "All", "--local-scheduler", "--log-level", "ERROR"),
        variables={"PYTHONPATH": "."},
    ),
    "redun": Flow(redun_files, lambda python: module(python, "redun", "run", "flow.py", "main")),
    "snakemake": Flow(snakemake_files, lambda python: module(python, "snakemake", "--cores", "2", "--quiet", "all")),
    "dvc": Flow(
        dvc_files,
        lambda python: module(python, "dvc", "repro", "-q"),
        lambda python: [module(python, "dvc", "init", "-q", "--no-scm")],
    ),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-flow-") as folder:
        found = measure(Path(folder), asked.steps, asked.rounds)
    print(json.dumps(found)) if asked.json else show(found)
    return 1 if found["missed"] or found["missing"] else 0


def measure(folder: Path, number: int, rounds: int) -> dict[str, Any]:
    """Medians over the rounds: milliseconds a step, and seconds of a run in which nothing changed."""
    pythons, missing = {}, {}
    for name in FLOWS:
        try:
            pythons[name] = Path(sys.executable) if name == "ciranda" else peers.python(name)
        except peers.Missing as why:
            missing[name] = str(why)
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for turn in range(rounds + 1):  # the first one only warms up
        for name, python in pythons.items():
            one = round_of(FLOWS[name], python, folder / name, number)
            if turn:
                taken[name].append(one)
    figures = {
        name: {key: round(statistics.median(one[key] for one in each), 3) for key in each[0]}
        for name, each in taken.items()
    }
    ratios = {
        name: {key: round(figures[name][key] / figures["ciranda"][key], 1) for key in ("ms_a_step", "nothing_s")}
        for name in figures
        if name != "ciranda"
    }
    missed = [f"{name} {key}" for name in BOUNDED for key, ratio in ratios.get(name, {}).items() if ratio < BOUND]
    return {
        "steps": number, "rounds": rounds, "figures": figures, "ratios": ratios, "bounds": dict.fromkeys(BOUNDED, BOUND),
        "missing": missing, "missed": missed,
    }  # fmt: skip


def round_of(flow: Flow, python: Path, folder: Path, number: int) -> dict[str, float]:
    """One step for the first time, all of them for the first time, and all of them again."""
    one = fresh(flow, python, folder, 1)
    all_ = fresh(flow, python, folder, number)
    time.sleep(SETTLE)
    timed(flow, python, folder)  # what a second run still has to learn is not a third one's
    nothing = timed(flow, python, folder)
    return {"ms_a_step": (all_ - one) / (number - 1) * 1000, "first_s": all_, "nothing_s": nothing}


def fresh(flow: Flow, python: Path, folder: Path, number: int) -> float:
    """Seconds of the first run of a new project."""
    for left in (folder, folder.parent / "home"):
        shutil.rmtree(left, ignore_errors=True)
    for path, text in flow.files(number).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for command in flow.prepare(python):
        subprocess.run(command, cwd=folder, env=variables(flow, folder), check=True, stdout=subprocess.DEVNULL)
    return timed(flow, python, folder)


def timed(flow: Flow, python: Path, folder: Path) -> float:
    """Seconds of one run as a whole process. Raises RuntimeError with what it said when it failed."""
    began = time.perf_counter()
    done = subprocess.run(
        flow.run(python), cwd=folder, env=variables(flow, folder), capture_output=True, text=True, check=False,
        timeout=LONGEST,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    if done.returncode:
        raise RuntimeError(f"{' '.join(flow.run(python))}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return seconds


def variables(flow: Flow, folder: Path) -> dict[str, str]:
    own = {name: str(folder / value) if value.startswith(".") else value for name, value in flow.variables.items()}
    return {**os.environ, **QUIET, **own}


def show(found: dict[str, Any]) -> None:
    print(f"{'':12}{'ms a step':>12}{'first run':>12}{'nothing':>12}   {found['steps']} steps")
    for name, one in found["figures"].items():
        times = found["ratios"].get(name)
        said = f"   {times['ms_a_step']:g}× and {times['nothing_s']:g}× ours" if times else ""
        print(f"{name:12}{one['ms_a_step']:>12.2f}{one['first_s']:>10.2f} s{one['nothing_s']:>10.3f} s{said}")
    for name, why in found["missing"].items():
        print(f"missing: {name}: {why}")
    for name in found["missed"]:
        print(f"✗ missed: {name}")


if __name__ == "__main__":
    sys.exit(main())
