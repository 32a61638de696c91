"""`ciranda.load` where only the small distribution is installed: what it was given, and a clear word about the rest."""

import subprocess
import sys
from pathlib import Path

from ciranda.pipeline import wheel

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
import ciranda
assert ciranda.__file__.startswith(sys.argv[1])
print(ciranda.load("delay"))
for given in ({"environment": "prod"}, {"run": 3}):
    try:
        ciranda.load("delay", **given)
    except ImportError as error:
        print(error)
try:
    ciranda.load("flights")
except LookupError as error:
    print(error)
"""


def test_the_small_distribution_reads_no_home(tmp_path: Path) -> None:
    for path, data in wheel.runtime().files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    (tmp_path / "delay").write_text('{"mean": 2}')
    variables = {"CIRANDA_ASSET_DELAY": str(tmp_path / "delay"), "CIRANDA_CODEC_DELAY": "json"}
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], env=variables, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told[0] == "{'mean': 2}"
    assert told[1] == told[2]
    assert "pip install ciranda" in told[1]
    assert "no asset 'flights' was given to this process; it has delay" in told[3]
    assert 'environment="prod"' in told[3]
