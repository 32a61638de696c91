"""A log is bounded while somebody writes it as fast as they can, and while somebody else reads it: no line is lost."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ciranda.service import bounding, logs, times

LINES = 30_000
MOST = 256 * 1024
# It writes as an instance does, to a descriptor that it was given, and as many lines more as it is told to.
WRITER = """
import os, sys
number = 0
for line in sys.stdin:
    for _ in range(int(line)):
        os.write(1, b"%d %s\\n" % (number, b"x" * 60))
        number += 1
    os.write(2, b".")
"""


@contextmanager
def _writer(log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
    with process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 0


def test_a_reader_that_keeps_up_sees_every_line_of_a_log_that_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "prod-web-r1-ab.log"
    seen: list[int] = []
    bounded = 0
    with _writer(log) as writer:
        assert writer.stdin is not None
        assert writer.stderr is not None
        chunk = 1_000
        left = LINES
        writer.stdin.write(b"%d\n" % chunk)

        def find() -> list[Path]:
            nonlocal bounded
            if bounding.due(log.stat(), MOST):
                times.note(log, log.stat().st_size, log.stat().st_mtime_ns // 1000)
                times.thin(log, bounding.bound(log, MOST))
                bounded += 1
            return [log]

        def wait(_: float) -> None:
            """It has read what there is: the next lines are written while it looks."""
            nonlocal left
            if len(seen) >= LINES - left + chunk:
                left -= chunk
                writer.stdin.write(b"%d\n" % chunk)  # type: ignore[union-attr]

        looked = logs.follow(find, wanted=logs.Wanted(), most=None, stop=lambda: len(seen) >= LINES, wait=wait)
        for line in looked:
            seen.append(int(line.text.split()[0]))
    assert seen == list(range(LINES))
    assert bounded > 3
    assert log.stat().st_blocks * 512 < 2 * MOST < log.stat().st_size


def test_a_reader_that_falls_behind_misses_only_what_is_gone(tmp_path: Path) -> None:
    log = tmp_path / "prod-web-r1-ab.log"
    with _writer(log) as writer:
        assert writer.stdin is not None
        assert writer.stderr is not None
        seen: list[int] = []

        def wait(_: float) -> None:
            assert writer.stdin is not None
            assert writer.stderr is not None
            writer.stdin.write(b"10000\n")
            assert writer.stderr.read(1) == b"."
            bounding.bound(log, MOST)

        looked = logs.follow(
            lambda: [log], wanted=logs.Wanted(), most=None, stop=lambda: seen[-1:] == [19_999], wait=wait
        )
        for line in looked:
            seen.append(int(line.text.split()[0]))
    kept = MOST // 70
    assert len(seen) > kept
    assert seen == sorted(set(seen))
    assert seen[-kept:] == list(range(20_000 - kept, 20_000))
