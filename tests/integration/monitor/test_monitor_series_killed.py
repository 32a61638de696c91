"""The store in several processes: a writer that is killed anywhere loses nothing that was written, and readers never wait for long."""

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from ciranda.monitor.series import store
from ciranda.monitor.series.levels import HOUR, MINUTE, SECOND
from support.service import until

BEGAN = 1_700_006_400 * SECOND
WRITER = """
import sys
from pathlib import Path
from ciranda.monitor.series import store
from ciranda.monitor.series.samples import Sample
kept, at = store.Store(Path(sys.argv[1])), int(sys.argv[2])
while True:
    kept.write([Sample("requests", {"service": "delays"}, int(sys.argv[3]) + at * 10_000_000, at * 3.0)])
    at += 1
    print(at, flush=True)
"""


def test_a_writer_that_is_killed_loses_nothing_that_it_wrote(tmp_path: Path) -> None:
    written = 0
    for round_ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(written), str(BEGAN)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            wanted = written + 70 + 30 * round_  # beyond a fold of sixty ticks, at another place each time
            while written < wanted:
                line = process.stdout.readline()
                assert line, "the writer ended"
                written = int(line)
            os.kill(process.pid, signal.SIGKILL)
            rest = process.stdout.read().split()
            written = int(rest[-1]) if rest else written
        end = BEGAN + written * 10 * SECOND
        (line_,) = store.Store(tmp_path).read("requests", {}, BEGAN, end + MINUTE, MINUTE, "sum")
        grown = math.fsum(line_.known)
        assert 3 * (written - 1) - 6.5 <= grown <= 3 * written + 0.5, (
            round_,
            written,
            grown,
        )  # the last one may be there


def test_readers_go_on_while_another_process_writes(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path), "0", str(BEGAN)], stdout=subprocess.DEVNULL
    ) as process:
        try:
            reader = store.Store(tmp_path)
            until(lambda: reader.metrics({}) == ["requests"])
            began, looks = time.monotonic(), 0
            while time.monotonic() - began < 0.3:
                looks += len(reader.read("requests", {}, BEGAN, BEGAN + HOUR, MINUTE, "rate")) >= 0
            assert looks > 0
        finally:
            process.kill()
