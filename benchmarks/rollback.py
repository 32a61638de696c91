"""How long a rollback to a standby takes, from the start of the command to the first answer of the other release.

    python benchmarks/rollback.py [--times 11] [--json]

A server in a temporary home, two releases of a small `predict` service in production, and `ciranda rollback prod` from one to the
other and back, while a client asks as fast as it is answered. Bound: a median of at most 1 s, and no failed request. Exits 1 if missed.
"""

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support import server

BOUND = 1.0  # seconds, median
PATIENCE = 30.0  # seconds for one answer of the other release


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ciranda-rollback-") as folder:
        found = measure(Path(folder), asked.times)
    if asked.json:
        print(json.dumps(found))
    else:
        print(
            f"first answer of the other release: median {found['median_s']:.3f} s, worst {found['worst_s']:.3f} s, at most {BOUND:g} s"
        )
        print(f"{found['failed']} of {found['requests']:,} requests failed")
    return 1 if found["missed"] else 0


def measure(folder: Path, times: int) -> dict[str, Any]:
    """Seconds from command to first answer, and the requests of the client."""
    with server.up(folder) as started:
        toy = started.project("toy")
        started.push(toy).succeeds()
        toy.edit("pipeline.py", "2 * int", "3 * int")
        toy.commit("triple")
        started.push(toy).succeeds()
        client = Client(started)
        seconds = []
        try:
            for turn in range(times):
                release = "r2" if turn % 2 else "r1"
                began = time.perf_counter()
                command = toy.start(str(server.projects.CIRANDA), "rollback", "prod", "--to", release)
                seconds.append(client.first(release) - began)
                said, _ = command.communicate(timeout=60)
                assert command.returncode == 0, said
                toy.ciranda("wait", release, "-e", "prod").succeeds()
        finally:
            client.close()
    median = statistics.median(seconds)
    return {
        "times": times,
        "median_s": round(median, 4),
        "worst_s": round(max(seconds), 4),
        "requests": client.requests,
        "failed": client.failed,
        "missed": [name for name, bad in (("rollback", median > BOUND), ("requests", client.failed > 0)) if bad],
    }


class Client:
    """Asks production one request after the other, and notes when each release first answered since it last did not."""

    def __init__(self, started: server.Server) -> None:
        self.requests = self.failed = 0
        self._started = started
        self._answered = threading.Condition()
        self._now, self._since = "", 0.0
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def first(self, release: str) -> float:
        """When this release began to answer, as perf_counter says; it answers now, or soon."""
        with self._answered:
            assert self._answered.wait_for(lambda: self._now == release, PATIENCE), f"{release} never answered"
            return self._since

    def close(self) -> None:
        self._leaving.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._leaving.is_set():
            answer = self._started.ask("/toy/prod/mean/", {"x": 1})
            self.requests += 1
            self.failed += answer.status != 200
            release = answer.headers.get("x-ciranda-release", "")
            with self._answered:
                if release != self._now:
                    self._now, self._since = release, time.perf_counter()
                    self._answered.notify_all()


if __name__ == "__main__":
    sys.exit(main())
