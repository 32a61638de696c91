"""What the loop itself costs a push: the first line, the verdict, production, and what control holds after a thousand.

    python benchmarks/push.py [--times 11] [--pushes 1000] [--json]

A server in a temporary home. Each push changes a note, so that nothing runs again but the code check: `first line` is when the terminal
shows something, `verdict` when the gate has decided and the branch has moved. `overhead` is the time from the push to production without
what is the user's own: the code check and, in both environments, the time from an instance's start to the swap. The memory is control's
resident set after so many pushes of another project.
Bounds: first line 0.3 s, verdict 1 s, overhead 2 s (medians), 150 MB. Exits 1 if one is missed.
"""

import argparse
import json
import os
import re
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import project as projects
from support import server

BOUNDS = {"first_line_s": 0.3, "verdict_s": 1.0, "overhead_s": 2.0, "control_mb": 150.0}
GATE_ONLY = '[checks]\ncode = ["true"]\n'


@dataclass(frozen=True)
class Push:
    """The times of one push, in seconds since it began."""

    first_line: float
    verdict: float
    live: float
    code: float  # of it, the code check


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=11)
    parser.add_argument("--pushes", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-push-") as folder, server.up(Path(folder)) as started:
        found = measure(started, asked.times, asked.pushes)
    found["missed"] = [name for name, bound in BOUNDS.items() if found[name] > bound]
    print(json.dumps(found)) if asked.json else show(found)
    return 1 if found["missed"] else 0


def measure(started: server.Server, times: int, many: int) -> dict[str, Any]:
    """Push, look at the clock and at the ledger."""
    toy = started.project("toy")
    started.push(toy).succeeds()
    pushes: list[Push] = []
    overheads: list[float] = []
    for number in range(times):
        pushes.append(push(toy, number))
        overheads.append(pushes[-1].live - pushes[-1].code - startups(started.home))
        time.sleep(0.5)  # what the last one left to do is not the next one's
    crowd = started.project("crowd", more=GATE_ONLY)
    for number in range(many):
        note(crowd, number)
        started.push(crowd).succeeds()
    (control,) = started.children("control")
    return {
        "times": times,
        "first_line_s": median([one.first_line for one in pushes]),
        "verdict_s": median([one.verdict for one in pushes]),
        "live_s": median([one.live for one in pushes]),
        "overhead_s": median(overheads),
        "pushes": many,
        "control_mb": round(resident(control) / 1e6, 1),
        "bounds": BOUNDS,
    }


def push(toy: projects.Project, number: int) -> Push:
    """One push of a note, line by line."""
    note(toy, number)
    began = time.perf_counter()
    process = toy.start("git", "push", "ciranda", "main")
    assert process.stdout is not None
    seen: dict[str, float] = {}
    code = 0.0
    for line in process.stdout:
        at = time.perf_counter() - began
        said = line.removeprefix("remote:").strip()
        seen.setdefault("first", at)
        if said.startswith("code "):
            code = float(said.split()[-2])
        for word in ("release", "live"):
            if re.match(rf"{word}\s", said):
                seen.setdefault(word, at)
    assert process.wait(60) == 0, seen
    return Push(seen["first"], seen["release"], seen["live"], code)


def note(toy: projects.Project, number: int) -> None:
    toy.write({"notes.md": f"{number}\n"})
    toy.commit(f"note {number}")


def startups(home: Path) -> float:
    """Seconds from start to swap of the newest release's instances, summed over the environments that it entered."""
    statement = """
        SELECT sum(r.routed_us - s.created_us) FROM revision r
        JOIN release l ON l.id = r.release
        JOIN specification s ON s.project = r.project AND s.environment = r.environment AND s.release = 'r' || l.number
        WHERE r.project = 'toy' AND l.number = (SELECT max(number) FROM release WHERE project = 'toy')
    """
    with sqlite3.connect(home / "ledger.db") as ledger:
        (total,) = ledger.execute(statement).fetchone()
    ledger.close()
    return float(total) / 1e6


def resident(pid: int) -> int:
    """Bytes that a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def median(values: list[float]) -> float:
    return round(statistics.median(values), 3)


def show(found: dict[str, Any]) -> None:
    for name, bound in BOUNDS.items():
        what, _, unit = name.rpartition("_")
        mark = "✗" if name in found["missed"] else "✓"
        print(
            f"{mark} {what.replace('_', ' '):<12} {found[name]:>8} {unit.upper() if unit == 'mb' else unit:<2}   at most {bound:g}"
        )
    print(f"  in production after {found['live_s']} s; control's memory after {found['pushes']:,} pushes")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.TimeoutExpired as error:
        sys.exit(str(error))
