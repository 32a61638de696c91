"""How long `ciranda plan` takes, as a whole command, for a release of 500 assets.

    python benchmarks/plan.py [--times 11] [--json]

A temporary home with two releases of 500 tables each, as pushes leave them in the ledger; the second has made half of them anew. It is
asked for the release that runs (nothing to do) and for the second one. Bound: 1 s without change (median). Exits 1 if it is missed.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.environment import moves
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.pipeline import cache, records
from ciranda.project import declaration
from ciranda.release import building, manifest, releases

ASSETS = 500
BOUND = 1.0  # seconds, without change
CIRANDA = Path(sys.executable).parent / "ciranda"
PROJECT = declaration.Project(
    name="big",
    pipeline="pipeline.py",
    services=(declaration.Service("answers", "command", "./serve", tuple(f"asset_{n}" for n in range(20))),),
    environments=(declaration.Environment("prod"),),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-plan-") as folder:
        found = measure(homes.Home(Path(folder) / "home"), asked.times)
    if asked.json:
        print(json.dumps(found))
    else:
        print(f"{found['assets']} assets: {found['nothing_s']:.3f} s without change, at most {BOUND:g} s")
        print(f"{'':12}{found['half_s']:.3f} s with {ASSETS // 2} made anew")
    return 1 if found["missed"] else 0


def measure(home: homes.Home, times: int) -> dict[str, Any]:
    """Medians of whole commands, in seconds."""
    homes.create(home)
    try:
        with homes.opened(home) as (ledger, store):
            release, content = made(ledger, store, 1)

            def enter(tx: Transaction) -> None:
                target = moves.target(tx, environment="prod", release=release, content=content, actor="ada")
                moves.end(tx, target, "reached", actor="ciranda")

            ledger.write(enter)
            nothing = timed(home, times, 0)
            made(ledger, store, 2)
            half = timed(home, times, 2)
    finally:
        shutil.rmtree(home.sockets, ignore_errors=True)
    missed = ["nothing_s"] * (nothing > BOUND)
    return {"assets": ASSETS, "times": times, "nothing_s": nothing, "half_s": half, "bound": BOUND, "missed": missed}


def made(ledger: Database, store: Store, number: int) -> tuple[releases.Release, manifest.Manifest]:
    """A release of 500 tables, each made of the one before it; every other one is this release's own."""
    versions = {name: version(name, place, number) for place in range(ASSETS) for name in [f"asset_{place}"]}
    content = building.build(
        PROJECT, commit=f"{number:040}", tree=f"tree-{number}", interpreter="b3:interpreter",
        parameters={name: {"depth": 1} for name in versions}, assets=versions, policy="b3:policy",
    )  # fmt: skip
    kept = releases.keep(store, content)
    outcome = {"assets": {name: asdict(one) for name, one in versions.items()}}

    def work(tx: Transaction) -> releases.Release:
        change = changes.record(
            tx, number=number, repository="big", project="big", ref="refs/heads/main", base="0" * 40,
            head=f"{number:040}", subject="more", actor="ada", accepts=False,
        )  # fmt: skip
        changes.move(tx, change, "settled", outcome=outcome)
        before = None
        for one in versions.values():
            inputs = {} if before is None else {before.asset: [before.digest, before.codec]}
            told = json.dumps({"inputs": inputs, "parameters": {}})
            cache.keep_result(tx, "big", "protected", f"run-{number}", one, told, 1.0)
            before = one
        return releases.make(tx, manifest=content, kept=kept, change=change.id, actor="ada")

    return ledger.write(work), content


def version(name: str, place: int, number: int) -> records.Version:
    own = number if place % 2 else 0
    figures = {"mean": 0.5}
    return records.Version(
        name, f"b3:{place + 1000 * own:064x}", f"key-{place}-{own}", "parquet", 10, "dataset", 1000 + place, 9, figures
    )


def timed(home: homes.Home, times: int, status: int) -> float:
    """The median of whole commands. Raises RuntimeError when one does not end with this status."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        done = subprocess.run(
            [str(CIRANDA), "plan", "-e", "prod", "--home", str(home.root), "--project", "big"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        seconds.append(time.perf_counter() - began)
        if done.returncode != status:
            raise RuntimeError(f"plan ended with {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return round(statistics.median(seconds), 3)


if __name__ == "__main__":
    sys.exit(main())
