"""The store of samples: how many it takes a second, how fast thirty days of a hundred series are read, how large a day of a demo is.

    python benchmarks/metrics.py [--json]

Samples are written as control writes them, a tick of every series after the other, with nothing between. Bounds: 20,000 samples a
second are taken; 30 days of 100 series are read within 200 ms (the median of whole queries, by another object than the one that
writes); a day of the demo's traffic (one service in two environments, with its 79 buckets, under a simulated clock) makes neither the
writing process 200 MB larger nor the file. Exits 1 if missed.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ciranda.app import sampling
from ciranda.monitor.series import store
from ciranda.monitor.series.levels import DAY, HOUR, SECOND
from ciranda.monitor.series.samples import Sample
from ciranda.service import counters

TAKEN, QUERY, GROWN = 20_000, 200, 200  # samples a second; milliseconds; MB
BEGAN = 1_700_006_400 * SECOND
TIMES = 15


def main() -> int:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-metrics-") as folder:
        found = {**ingest(Path(folder, "many")), **month(Path(folder, "month")), **day(Path(folder, "day"))}
    if given.json:
        print(json.dumps(found))
    else:
        print(
            f"taken: {found['samples_per_s']:,} samples/s; 30 days of 100 series read in {found['query_ms']:g} ms (slowest "
            f"{found['slowest_ms']:g}); a day of the demo: {found['day_mb']:g} MB on disk, control grows by {found['grown_mb']:g} MB"
        )
    held = (
        found["samples_per_s"] >= TAKEN
        and found["query_ms"] <= QUERY
        and max(found["day_mb"], found["grown_mb"]) <= GROWN
    )
    return 0 if held else 1


def ingest(folder: Path) -> dict[str, Any]:
    """An hour of 1,000 series, every ten seconds a sample."""
    kept = store.Store(folder)
    labels = [{"project": "many", "environment": "prod", "service": f"s{number}"} for number in range(500)]
    began = time.perf_counter()
    for at in range(360):
        kept.write(
            Sample(metric, one, BEGAN + at * 10 * SECOND, at * (7.0 + number))
            for number, one in enumerate(labels)
            for metric in ("requests", "memory_bytes")
        )
    seconds = time.perf_counter() - began
    kept.close()
    return {"samples_per_s": round(360_000 / seconds)}


def month(folder: Path) -> dict[str, Any]:
    """Thirty days of 100 series, asked for as a chart of 360 points."""
    kept = store.Store(folder)
    labels = [{"project": "many", "environment": "prod", "service": f"s{number}"} for number in range(100)]
    for hour in range(30 * 24):  # a sample of each slot of ten minutes: what is kept of a month is the same
        slots = range(hour * 6, hour * 6 + 6)
        kept.write(Sample("requests", one, BEGAN + at * 600 * SECOND, at * 9.0) for at in slots for one in labels)
    kept.close()
    reader, end, taken = store.Store(folder), BEGAN + 30 * DAY, []
    for _ in range(TIMES):
        began = time.perf_counter()
        lines = reader.read("requests", {"project": "many"}, BEGAN, end, 2 * HOUR, "rate")
        taken.append((time.perf_counter() - began) * 1000)
        if len(lines) != 100 or sum(len(line.known) for line in lines) < 100 * 350:
            raise RuntimeError("the month is not all there")
    return {"query_ms": round(statistics.median(taken), 1), "slowest_ms": round(max(taken), 1)}


def day(folder: Path) -> dict[str, Any]:
    """A day of one service in two environments, 50 requests a second, as control samples it."""
    kept = store.Store(folder)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    histogram = [0] * counters.BUCKETS
    samples: list[Sample] = []
    for tick in range(8640):
        at = BEGAN + tick * 10 * SECOND
        for slot in range(20, 34):
            histogram[slot] += 30 + (tick * slot) % 11
        asked = sum(histogram)
        counted = counters.Counted(asked, (0, asked, 0, 0, asked // 1000), 0, 0.0, tuple(histogram))
        for environment in ("test", "prod"):
            key = ("flights", environment, "delays", f"r{1 + tick // 2160}")
            samples += sampling.traffic(key, counted, at)
            for number in range(2):
                told = {**sampling.labelled(key), "instance": f"i{number}"}
                samples += [
                    Sample("cpu_seconds", told, at, tick * 0.3),
                    Sample("memory_bytes", told, at, 9e7 + tick % 4096),
                    Sample("in_flight", told, at, tick % 3),
                ]
        if tick % 6 == 5:
            kept.write(samples)
            samples = []
    kept.close()
    size = sum(path.stat().st_size for path in folder.iterdir())
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return {"day_mb": round(size / 1e6, 1), "grown_mb": round(grown / 1000, 1)}


if __name__ == "__main__":
    sys.exit(main())
