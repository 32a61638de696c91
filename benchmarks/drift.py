"""How long it takes to tell whether 1,000,000 rows of 20 columns drifted, beside Evidently and NannyML; and how often it is right.

    python benchmarks/drift.py [--rows 1000000] [--windows 200] [--longest 120] [--json]

Two tables of 15 numbers (normal and log-normal) and 5 categories (5 to 1,000 values) of one law, as Parquet. `kept` profiles one and
compares it with the kept profile of the other, in a process that did so before; `both` is a whole process that reads both and
compares them. The peers do `both` from pandas as their documentation shows: Evidently's DataDriftPreset, NannyML's Jensen–Shannon
distance over all columns; one that takes longer than `--longest` is stopped.

Then 200 windows of 10,000 rows of the same law, which should have no finding, and 200 in which each known change was planted in one
column, which should all be found.

Bounds: kept 1 s and 400 MB at most, both 3 s; at most one alarm in 200 windows; every planted change found. Exits 1 if one is missed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import peers
import polars as pl

from ciranda.monitor.drift import compare, count
from ciranda.monitor.drift.profile import Profile

NUMBERS, SIZES = 15, (5, 12, 50, 200, 1000)  # columns that are numbers; values of each category
WINDOW = 10_000  # rows
BOUNDS = {"kept_s": 1.0, "kept_mb": 400, "both_s": 3.0, "alarms": 1}

Change = Callable[[pl.DataFrame], pl.DataFrame]
# What is planted, by the column in which it is: a fifth of a standard deviation, half as much spread, and so on.
PLANTED: Mapping[str, tuple[str, Change]] = {
    "mean + 0.2 σ": ("n1", lambda rows: rows.with_columns(pl.col("n1") + 0.2 * 1.2)),
    "spread × 1.5": ("n2", lambda rows: rows.with_columns((pl.col("n2") - 2) * 1.5 + 2)),
    "log-normal × 1.3": ("n3", lambda rows: rows.with_columns(pl.col("n3") * 1.3)),
    "one in ten is 0": ("n4", lambda rows: rows.with_columns(pl.when(every(10)).then(0.0).otherwise("n4").alias("n4"))),
    "one in ten becomes the rarest": (
        "c0",
        lambda rows: rows.with_columns(pl.when(every(10)).then(pl.lit("value-4")).otherwise("c0").alias("c0")),
    ),
    "5 values are new": (
        "c1",
        lambda rows: rows.with_columns(pl.when(every(2000)).then(pl.lit("new")).otherwise("c1").alias("c1")),
    ),
    "5 are missing": (
        "n5",
        lambda rows: rows.with_columns(pl.when(every(2000)).then(None).otherwise("n5").alias("n5")),
    ),
    "5 are -999": ("n7", lambda rows: rows.with_columns(pl.when(every(2000)).then(-999.0).otherwise("n7").alias("n7"))),
    "a number is text": ("n8", lambda rows: rows.with_columns(pl.col("n8").cast(pl.String))),
}

PEERS = {
    "evidently": """
import sys, pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
reference, window = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
done = Report([DataDriftPreset()]).run(window, reference)
print(len(done.dict()["metrics"]))
""",
    "nannyml": """
import sys, pandas as pd, nannyml
reference, window = pd.read_parquet(sys.argv[1]), pd.read_parquet(sys.argv[2])
made = nannyml.UnivariateDriftCalculator(
    column_names=list(reference.columns), chunk_number=10,
    continuous_methods=["jensen_shannon"], categorical_methods=["jensen_shannon"],
)
made.fit(reference)
print(len(made.calculate(window).to_df()))
""",
    "ciranda": """
import sys, polars as pl
from ciranda.monitor.drift import compare, count
reference = count.of_frame(pl.scan_parquet(sys.argv[1]))
window = count.of_frame(pl.scan_parquet(sys.argv[2]), against=reference)
print(len(compare.compare(reference, window).columns))
""",
    "kept": """
import json, sys, time, polars as pl
from ciranda.monitor.drift import compare, count, profile
reference = profile.read(json.load(open(sys.argv[1])))
for _ in range(4):
    began = time.perf_counter()
    compare.compare(reference, count.of_frame(pl.scan_parquet(sys.argv[2]), against=reference))
    print(time.perf_counter() - began)
""",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--longest", type=float, default=120.0)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-drift-") as folder:
        found = measure(Path(folder), asked.rows, asked.windows, asked.longest)
    print(json.dumps(found) if asked.json else shown(found))
    return 1 if found["missed"] else 0


def measure(folder: Path, rows: int, windows: int, longest: float) -> dict[str, Any]:
    """Every figure, and the bounds that were missed."""
    reference, window, kept = folder / "reference.parquet", folder / "window.parquet", folder / "profile.json"
    table(1, rows).write_parquet(reference)
    table(2, rows).write_parquet(window)
    known = count.of_frame(pl.scan_parquet(reference))
    kept.write_text(json.dumps(known.document()))
    warm = run([sys.executable, "-c", PEERS["kept"], str(kept), str(window)], longest)
    figures: dict[str, Any] = {}
    missing: dict[str, str] = {}
    for name in ("ciranda", "nannyml", "evidently"):
        try:
            python = sys.executable if name == "ciranda" else str(peers.python(name))
            figures[name] = run([python, "-c", PEERS[name], str(reference), str(window)], longest)
        except peers.Missing as why:
            missing[name] = str(why)
    found = {
        "rows": rows,
        "windows": windows,
        "longest_s": longest,
        "profile_kb": round(kept.stat().st_size / 1000, 1),
        "kept_s": round(statistics.median(float(line) for line in warm["printed"][1:]), 3),
        "kept_mb": warm["mb"],
        "both": {
            name: {"seconds": one["seconds"], "mb": one["mb"], "done": one["done"]} for name, one in figures.items()
        },
        **judged(known, windows),
        "bounds": BOUNDS,
        "missing": missing,
    }
    values = {**found, "both_s": found["both"]["ciranda"]["seconds"]}
    missed = [
        what for what, bound in BOUNDS.items() if values[what] > bound * (windows / 200 if what == "alarms" else 1)
    ]
    missed += [name for name, share in found["planted"].items() if share < 1.0]
    return {**found, "missed": missed}


def judged(reference: Profile, windows: int) -> dict[str, Any]:
    """Alarms where there is no drift, and the share of planted changes that are found, by what was planted."""
    alarms, hit = 0, dict.fromkeys(PLANTED, 0)
    for number in range(windows):
        rows = table(1000 + number, WINDOW)
        alarms += bool(compare.compare(reference, count.of_frame(rows, against=reference)).findings)
        for name, (column, change) in PLANTED.items():
            changed = change(rows.select(column))
            one = Profile(reference.rows, tuple(each for each in reference.columns if each.name == column))
            findings = compare.compare(one, count.of_frame(changed, against=one)).findings
            hit[name] += column in {finding.column for finding in findings}
    return {"alarms": alarms, "planted": {name: times / windows for name, times in hit.items()}}


def table(seed: int, rows: int) -> pl.DataFrame:
    """Rows of one law."""
    random = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        f"n{place}": random.normal(place, 1 + place / 5, rows) if place % 3 else random.lognormal(0, 1, rows)
        for place in range(NUMBERS)
    }
    for place, size in enumerate(SIZES):
        weights = 1 / np.arange(1, size + 1)
        names = np.array([f"value-{number}" for number in range(size)])
        columns[f"c{place}"] = names[random.choice(size, rows, p=weights / weights.sum())]
    return pl.DataFrame(columns)


def every(number: int) -> pl.Expr:
    """One row in so many."""
    return pl.int_range(pl.len()) % number == 0


def run(command: list[str], longest: float) -> dict[str, Any]:
    """A whole process: its seconds, the most memory it had in MB, and the lines it printed."""
    measuring = """
import json, resource, subprocess, sys
ended = subprocess.run(json.loads(sys.argv[1]), capture_output=True, text=True)
print(json.dumps([ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024, ended.stdout, ended.stderr[-2000:]]))
"""
    began = time.perf_counter()
    limited = ["timeout", "-k", "1", str(longest), *command]
    made = subprocess.run(
        [sys.executable, "-c", measuring, json.dumps(limited)], capture_output=True, text=True, check=True
    )
    seconds = time.perf_counter() - began
    status, megabytes, printed, said = json.loads(made.stdout)
    if status not in (0, 124, 137):
        raise RuntimeError(f"{command[0]} ended with {status}: {said}")
    return {"seconds": round(seconds, 2), "mb": megabytes, "done": status == 0, "printed": printed.splitlines()}


def shown(found: dict[str, Any]) -> str:
    lines = [
        f"  {found['rows']:,} rows × {NUMBERS + len(SIZES)} against a kept profile ({found['profile_kb']:g} kB), warm: "
        f"{found['kept_s']:g} s, {found['kept_mb']:,} MB",
        "  both sides from Parquet, whole process",
    ]
    for name, one in found["both"].items():
        lines.append(f"    {name:<12}{one['seconds']:>8.1f} s {one['mb']:>7,} MB{'' if one['done'] else '   stopped'}")
    lines += [f"    {name} is missing: {why}" for name, why in found["missing"].items()]
    lines.append(f"  alarms in {found['windows']} windows of {WINDOW:,} rows without drift: {found['alarms']}")
    lines += [f"    {name:<34}{share:>7.1%} found" for name, share in found["planted"].items()]
    return "\n".join([*lines, *(f"  ✗ missed: {what}" for what in found["missed"])])


if __name__ == "__main__":
    sys.exit(main())
