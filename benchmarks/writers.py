"""Many processes write to one ledger as fast as they can: nobody is told that it is locked, nobody waits long, nobody starves.

    python benchmarks/writers.py [--processes 16] [--seconds 30] [--ledger postgresql://…] [--json]

Each process appends an event, in a transaction of its own, again and again. Bounds: no error, p99 of the wait at most 250 ms, and the
process that got the fewest transactions got at least a quarter of the mean. Exits 1 if one is missed, or an event is.
"""

import argparse
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ciranda.kernel import database, errors, events, migrations

P99 = 0.250  # seconds
SHARE = 0.25  # of the mean


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--ledger", help="the address of an empty database; left out: SQLite in a temporary folder")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.write:
        return write(asked.write[0], Path(asked.write[1]), asked.seconds)
    with tempfile.TemporaryDirectory(prefix="ciranda-writers-") as folder:
        url = asked.ledger or f"sqlite:///{folder}/ledger.db"
        found = measure(url, Path(folder), asked.processes, asked.seconds)
    if asked.json:
        print(json.dumps(found))
    else:
        show(found)
    return 0 if not found["missed"] else 1


def measure(url: str, folder: Path, processes: int, seconds: float) -> dict[str, Any]:
    """Start the writers together, and judge what they waited for."""
    ledger = database.open(url, folder)
    migrations.migrate(ledger, ["ciranda.kernel"])
    command = [sys.executable, __file__, "--write", url, str(folder), "--seconds", str(seconds)]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()  # it is ready
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    reports = [json.loads(writer.communicate()[0]) for writer in writers]
    acknowledged = [len(report["waits"]) for report in reports]
    kept = events.verify(ledger, "writers")
    ledger.close()
    waits = sorted(wait for report in reports for wait in report["waits"])
    mean = sum(acknowledged) / processes
    found = {
        "ledger": url.partition(":")[0],
        "processes": processes,
        "seconds": seconds,
        "transactions": sum(acknowledged),
        "per_second": round(sum(acknowledged) / seconds, 1),
        "errors": [message for report in reports for message in report["errors"]],
        "wait_ms": {name: round(1000 * _at(waits, share), 2) for name, share in _SHARES.items()},
        "worst_process_p99_ms": round(1000 * max(_at(sorted(report["waits"]), 0.99) for report in reports), 2),
        "least_of_mean": round(min(acknowledged) / mean, 3) if mean else 0.0,
        "most_of_mean": round(max(acknowledged) / mean, 3) if mean else 0.0,
        "lost": sum(acknowledged) - kept,
    }
    return {**found, "missed": missed(found)}


_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "most": 1.0}


def missed(found: dict[str, Any]) -> list[str]:
    """The bounds that were not kept."""
    bounds = {
        f"errors: {len(found['errors'])}, bound 0": not found["errors"],
        f"p99 of the wait: {found['wait_ms']['p99']} ms, bound {P99 * 1000:.0f} ms": found["wait_ms"]["p99"]
        <= P99 * 1000,
        f"the least-served got {found['least_of_mean']} of the mean, bound {SHARE}": found["least_of_mean"] >= SHARE,
        f"acknowledged and not there: {found['lost']}, bound 0": found["lost"] <= 0,
    }
    return [said for said, kept in bounds.items() if not kept]


def show(found: dict[str, Any]) -> None:
    """The figures as a table."""
    waits = "   ".join(f"{name} {value} ms" for name, value in found["wait_ms"].items())
    print(f"{found['processes']} writers on {found['ledger']}, {found['seconds']:g} s")
    print(
        f"  transactions   {found['transactions']}   {found['per_second']}/s   errors {len(found['errors'])}   lost {found['lost']}"
    )
    print(f"  wait           {waits}   p99 of the worst process {found['worst_process_p99_ms']} ms")
    print(f"  served         least {found['least_of_mean']}   most {found['most_of_mean']}   of the mean")
    for said in found["missed"] or ["every bound is kept"]:
        print(f"  {said}")


def write(url: str, folder: Path, seconds: float) -> int:
    """One writer: append events until the time is over, and report how long each took."""
    ledger = database.open(url, folder)
    waits: list[float] = []
    failures: list[str] = []
    ledger.query("SELECT name FROM counter")
    print("ready", flush=True)
    sys.stdin.readline()
    until = time.monotonic() + seconds
    while (started := time.monotonic()) < until:
        try:
            ledger.write(lambda tx: events.append(tx, chain="writers", kind="written", subject="x", actor="bench"))
        except (errors.CirandaError, sqlite3.Error) as error:
            failures.append(str(error))
            continue
        waits.append(time.monotonic() - started)
    ledger.close()
    print(json.dumps({"waits": waits, "errors": failures}))
    return 0


def _at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)] if values else float("inf")


if __name__ == "__main__":
    sys.exit(main())
