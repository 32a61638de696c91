"""What a command prints is masked before anybody sees it."""

import sys
from pathlib import Path

from ciranda.checks import code
from ciranda.service import masking


def test_output_tail_and_summary_are_masked(tmp_path: Path) -> None:
    def mask(data: bytes) -> bytes:
        return masking.mask(data, [b"hunter2!"])

    place = code.Place(
        tmp_path, Path(sys.executable), tmp_path / "home", (Path(sys.prefix), Path(sys.base_prefix)), mask=mask
    )
    told = code.run("sh -c 'echo 4 passed with hunter2! and aHVudGVyMiE=; exit 1'", place, timeout=20)
    assert (told.passed, told.tail, told.tests) == (False, ["4 passed with *** and ***E="], 4)
    late = code.run("sh -c 'echo hunter2!; sleep 30'", place, timeout=0.5)
    assert (late.passed, late.output) == (None, b"***\n")
