"""Write the locks: every package with its hashes, for every platform, without the address of any index."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
UV = Path(sys.executable).parent / "uv"

LOCKS: dict[str, list[str]] = {
    "requirements/base.txt": ["pyproject.toml"],
    "requirements/dev.txt": ["pyproject.toml", "--extra", "postgres", "--group", "dev", "-c", "requirements/base.txt"],
    # The example pins what the development lock pins, so that one download serves both.
    "examples/flights/requirements.txt": ["examples/flights/requirements.in", "-c", "requirements/dev.txt"],
}


def command(lock: str, sources: list[str], *, upgrade: bool) -> list[str]:
    """What writes one lock."""
    flags = ["--generate-hashes", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate"]
    return [str(UV), "pip", "compile", "-q", *flags, *(["--upgrade"] if upgrade else []), *sources, "-o", lock]


def main() -> None:
    for lock, sources in LOCKS.items():
        written = command(lock, sources, upgrade="--upgrade" in sys.argv)
        subprocess.run(written, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        print(lock)


if __name__ == "__main__":
    main()
