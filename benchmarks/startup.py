"""How long the smallest commands take, whole process, beside Python itself in the same run.

    python benchmarks/startup.py [--times 31] [--json]

Bounds: `ciranda --version` at most 3 × `python -c pass`, `ciranda status` (a home with a project that has run) at most 10 ×.
Medians of runs that take turns, so that what else the machine does meets all alike. Exits 1 if a bound is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BOUNDS = {"version": 3.0, "status": 10.0}  # times `python -c pass`
CIRANDA = Path(sys.executable).parent / "ciranda"
WARM = 3  # first runs that only fill caches


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=31)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-startup-") as folder:
        found = measure(Path(folder), asked.times)
    if asked.json:
        print(json.dumps(found))
    else:
        show(found)
    return 1 if found["missed"] else 0


def measure(folder: Path, times: int) -> dict[str, Any]:
    """Medians in milliseconds, ratios to `python -c pass`, and the bounds that were missed."""
    environment = os.environ | {"CIRANDA_HOME": str(folder / "home")}
    for command in ([CIRANDA, "init", "houses"], [CIRANDA, "run"]):
        where = folder if command[1] == "init" else folder / "houses"
        subprocess.run(command, cwd=where, env=environment, check=True, stdout=subprocess.DEVNULL)
    commands = {
        "python": [sys.executable, "-c", "pass"],
        "git": ["git", "--version"],
        "version": [CIRANDA, "--version"],
        "status": [CIRANDA, "status"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(times + WARM):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, cwd=folder / "houses", env=environment, check=True, stdout=subprocess.DEVNULL)
            if turn >= WARM:
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    ratios = {name: medians[name] / medians["python"] for name in BOUNDS}
    return {
        "times": times,
        "milliseconds": {name: round(median * 1000, 1) for name, median in medians.items()},
        "ratios": {name: round(ratio, 2) for name, ratio in ratios.items()},
        "bounds": BOUNDS,
        "missed": [name for name, bound in BOUNDS.items() if ratios[name] > bound],
    }


def show(found: dict[str, Any]) -> None:
    for name, taken in found["milliseconds"].items():
        ratio = found["ratios"].get(name)
        bound = f"{ratio:5.2f} × python, at most {found['bounds'][name]:.0f}" if ratio else ""
        print(f"  {'✗' if name in found['missed'] else ' '} {name:<10} {taken:7.1f} ms   {bound}".rstrip())


if __name__ == "__main__":
    sys.exit(main())
