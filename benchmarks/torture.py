"""Kills everything everywhere, starts it again, and counts what was lost (nothing may be).

    python benchmarks/torture.py [--kills 200] [--seed N] [--json]

A server on free ports in a temporary home; a client that pushes, runs, rolls back, holds and asks, and keeps outside the home what it
was told. kill -9 at every named point and of every process, until there were enough; after each round the server must be at rest
again, and everything that was ever acknowledged must be there. Exit status 1 when something was lost, a point or a process was never
killed, or rest took more than 10 s after a restart. A failure names its seed and round.
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ciranda.kernel import failpoints
from support import torture, torture_plan, torture_site, torture_verbs

KILLS = 200
LONGEST = 2400.0  # seconds for all of it


def main() -> int:
    given = arguments()
    say = (lambda _: None) if given.json else (lambda line: print(line, flush=True))
    seed = random.SystemRandom().randrange(1 << 16) if given.seed is None else given.seed
    say(
        f"seed {seed}: {given.kills} kills; each line is a round: what the client wants, who is killed where, seconds until rest"
    )
    folder = Path(tempfile.mkdtemp(prefix="ciranda-torture-"))
    began = time.monotonic()
    try:
        with torture_verbs.begun(folder / "place", seed, say) as ordeal:
            wants = torture_plan.all_of(given.kills, random.Random(seed))
            left = ordeal.play(wants, until=lambda: time.monotonic() - began > LONGEST)
            ordeal.last_look()
    except torture_site.Broken as broken:
        print(f"✗ lost or broken: {broken}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found = summary(ordeal, time.monotonic() - began)
    problems = wrong(found, given.kills, len(left))
    print(json.dumps(found | {"problems": problems}, indent=2) if given.json else "\n".join(lines(found, problems)))
    return 1 if problems else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="kill everything everywhere and count what was lost")
    parser.add_argument("--kills", type=int, default=KILLS, help=f"at least so many (default {KILLS})")
    parser.add_argument("--seed", type=int, help="to play the same rounds again (default: any)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    return parser.parse_args()


def summary(ordeal: torture.Ordeal, seconds: float) -> dict[str, Any]:
    """The figures."""
    points = Counter(kill.point for kill in ordeal.kills if kill.point)
    processes = Counter(kill.process for kill in ordeal.kills)
    requests, in_flight = ordeal.answers
    return {
        "seed": ordeal.seed,
        "seconds": round(seconds, 1),
        "rounds": ordeal.round,
        "kills": len(ordeal.kills),
        "points": {name: points[name] for name in sorted(failpoints.NAMES)},
        "processes": {name: processes[name] for name in torture_plan.PROCESSES} | {"up": processes["up"]},
        "acknowledged": ordeal.kept.count,
        "tries_that_were_cut_off": len(ordeal.tries),
        "lost": 0,
        "requests": requests,
        "requests_lost_in_flight": in_flight,
        "rest_seconds": {
            "median": round(sorted(ordeal.rest)[len(ordeal.rest) // 2], 1),
            "worst": round(max(ordeal.rest), 1),
        },
    }


def wrong(found: dict[str, Any], kills: int, left: int) -> list[str]:
    """Which bounds were missed."""
    problems = [
        f"{kind} {name} was never killed"
        for kind in ("points", "processes")
        for name, n in found[kind].items()
        if not n
    ]
    if found["kills"] < kills:
        problems.append(f"{found['kills']} kills, not {kills}; {left} found no time")
    if found["rest_seconds"]["worst"] > torture.LIMIT:
        problems.append(f"rest took {found['rest_seconds']['worst']} s after a restart, more than {torture.LIMIT:g} s")
    return problems


def lines(found: dict[str, Any], problems: list[str]) -> list[str]:
    """The summary for people."""
    told = ", ".join(f"{count} {name}" for name, count in found["acknowledged"].items())
    rest = found["rest_seconds"]
    return [
        "",
        f"{found['kills']} kills -9 in {found['rounds']} rounds, {found['seconds']:.0f} s (seed {found['seed']})",
        "",
        "by process  " + "  ".join(f"{name} {count}" for name, count in found["processes"].items()),
        "at points   " + wrapped([f"{name} {count}" for name, count in found["points"].items()]),
        "",
        f"acknowledged  {told}: {found['lost']} lost; {found['tries_that_were_cut_off']} tries were cut off and made again",
        f"requests      {found['requests']:,} while killing, {found['requests_lost_in_flight']} lost in flight with who died",
        f"at rest       {rest['median']} s after a restart (median), {rest['worst']} s at worst; bound {torture.LIMIT:g} s",
        *(f"✗ {problem}" for problem in problems),
    ]


def wrapped(parts: list[str], columns: int = 4) -> str:
    """In columns under one another."""
    rows = [parts[at : at + columns] for at in range(0, len(parts), columns)]
    return f"\n{'':12}".join("".join(f"{part:<26}" for part in row).rstrip() for row in rows)


if __name__ == "__main__":
    sys.exit(main())
