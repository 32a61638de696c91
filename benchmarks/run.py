"""Runs every benchmark, one after the other, and writes what they found.

    python benchmarks/run.py [NAME …]

A benchmark is a file of this folder that takes `--json`, prints one JSON object, and exits 1 when it missed a bound that it states.
The summary is `benchmarks/.cache/summary.json`: by name, its figures, seconds, and whether its bounds held. A run of all of them also
writes `RESULTS.md` with its pictures (`report.py`).
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import report

HERE = Path(__file__).resolve().parent
TOOLS = {"run", "peers", "report", "torture"}  # not benchmarks; `make torture` is a command of its own
LONGEST = 3600  # seconds that one may take


def main() -> int:
    names = sys.argv[1:] or sorted(path.stem for path in HERE.glob("*.py") if is_benchmark(path))
    found = {name: measured(name) for name in names}
    (HERE / ".cache").mkdir(exist_ok=True)
    summary = {"machine": machine(), "benchmarks": found}
    (HERE / ".cache" / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
    if not sys.argv[1:]:
        report.main()
    missed = [name for name, result in found.items() if not result["held"]]
    print(
        f"{len(found) - len(missed)} of {len(found)} held their bounds{': not ' + ', '.join(missed) if missed else ''}"
    )
    return 1 if missed else 0


def is_benchmark(path: Path) -> bool:
    """Whether a file is one: parts that benchmarks share have no main."""
    return path.stem not in TOOLS and '__name__ == "__main__"' in path.read_text() and '"--json"' in path.read_text()


def measured(name: str) -> dict[str, Any]:
    """Run one and keep what it printed."""
    print(f"{name} …", end=" ", flush=True)
    began = time.monotonic()
    try:
        ended = subprocess.run(
            [sys.executable, str(HERE / f"{name}.py"), "--json"],
            capture_output=True,
            text=True,
            check=False,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return said({"held": False, "seconds": LONGEST, "why": f"not done in {LONGEST} s", "figures": None})
    figures = last_object(ended.stdout)
    why = "" if ended.returncode == 0 else (ended.stderr.strip().splitlines() or [f"exit {ended.returncode}"])[-1]
    return said(
        {"held": ended.returncode == 0, "seconds": round(time.monotonic() - began, 1), "why": why, "figures": figures}
    )


def said(result: dict[str, Any]) -> dict[str, Any]:
    print(f"{'✓' if result['held'] else '✗'} {result['seconds']} s {result['why']}".rstrip())
    print(json.dumps(result["figures"], indent=2))
    return result


def last_object(text: str) -> Any:
    """The JSON that a benchmark printed, after whatever it said before; None where there is none."""
    for start in [0, *(place + 1 for place, symbol in enumerate(text) if symbol == "\n")]:
        if text[start : start + 1] == "{":
            try:
                return json.loads(text[start:])
            except json.JSONDecodeError:
                continue
    return None


def machine() -> dict[str, Any]:
    """What the figures were measured on: they mean something beside those of the same run only."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load": os.getloadavg(),
    }


if __name__ == "__main__":
    sys.exit(main())
