"""Make `.venv` with everything that the Makefile needs, then what the demo needs to run offline.

Standard library only, and written so that an old Python can at least start it to look for a newer one.
The environment is made without pip, since `ensurepip` is missing on many machines; `uv` is brought into it by the
first way that works, and installs the rest from the lock, every file verified by its hash.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
UV = ENVIRONMENT / "bin" / "uv"
LOCK = ROOT / "requirements" / "dev.txt"


def say(text: str) -> None:
    print(f"setup: {text}", flush=True)


def call(*command: object, **variables: str) -> None:
    subprocess.run([str(part) for part in command], check=True, cwd=str(ROOT), env={**os.environ, **variables})


def output(*command: str) -> str:
    """What a command prints, "" when it fails or is not there."""
    try:
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60, check=True
        ).stdout.decode()
    except (OSError, subprocess.SubprocessError):
        return ""


def version_of(python: str) -> tuple[int, ...]:
    """The version of an interpreter, () when it does not run."""
    said = output(python, "-c", "import sys; print(*sys.version_info[:2])")
    return tuple(int(number) for number in said.split())


def with_new_enough_python() -> None:
    """Go on in a Python that is new enough: this one, else the first that the PATH has."""
    if sys.version_info[:2] >= OLDEST:
        return
    for minor in range(20, OLDEST[1] - 1, -1):
        python = shutil.which(f"python3.{minor}")
        if python and version_of(python) >= OLDEST:
            os.execv(python, [python, *sys.argv])
    have = ".".join(str(number) for number in sys.version_info[:2])
    sys.exit(f"setup: Python 3.11 or newer is needed, this is {have}. Name one: make setup PYTHON=/path/to/python3")


def make_environment() -> None:
    if version_of(str(PYTHON)) >= OLDEST:
        return
    say(f"an environment in .venv, with Python {sys.version.split()[0]}")
    base = getattr(sys, "_base_executable", sys.executable)
    if base != sys.executable:  # run from inside another environment: link to what that one links to
        call(base, "-m", "venv", "--without-pip", "--clear", ENVIRONMENT)
    else:
        venv.EnvBuilder(with_pip=False, clear=True, symlinks=True).create(str(ENVIRONMENT))


def locked(name: str) -> str:
    """The lines of one package in the lock: its pin and its hashes."""
    found = re.search(rf"^{name}==.*?(?=^\S|\Z)", LOCK.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if not found:
        sys.exit(f"setup: {LOCK.relative_to(ROOT)} does not name {name}")
    return found.group()


def index() -> str:
    """The package index that pip is told to use, by variable or configuration file, else PyPI's."""
    named = os.environ.get("PIP_INDEX_URL") or output(sys.executable, "-m", "pip", "config", "get", "global.index-url")
    return named.strip() or "https://pypi.org/simple"


def fetch_pip(folder: Path) -> Path:
    """Pip's newest wheel, straight from the index and verified by the hash that the index gives."""
    page = f"{index().rstrip('/')}/pip/"
    with urllib.request.urlopen(page, timeout=60) as answer:
        listing = answer.read().decode()
    links = re.findall(r'href="([^"#]*?(pip-(\d+(?:\.\d+)*)-py3-none-any\.whl))#sha256=([0-9a-f]{64})"', listing)
    if not links:
        raise OSError(f"no wheel of pip at {page}")
    address, name, _, expected = max(links, key=lambda link: [int(number) for number in link[2].split(".")])
    with urllib.request.urlopen(urllib.parse.urljoin(page, address), timeout=60) as answer:
        wheel = answer.read()
    if hashlib.sha256(wheel).hexdigest() != expected:
        raise OSError(f"{name} does not have the hash that the index gives")
    (folder / name).write_bytes(wheel)
    return folder / name


def by_uv_on_the_path(options: list[str]) -> None:
    uv = shutil.which("uv")
    if not uv:
        raise OSError("there is none")
    call(uv, "pip", "install", "--python", PYTHON, *options)


def by_pip_of_this_python(options: list[str]) -> None:
    call(sys.executable, "-m", "pip", "--python", PYTHON, "install", *options)


def by_ensurepip(options: list[str]) -> None:
    call(PYTHON, "-m", "ensurepip")
    call(PYTHON, "-m", "pip", "install", *options)


def by_pip_from_the_index(options: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        call(PYTHON, fetch_pip(Path(folder)) / "pip", "install", *options)


WAYS = (by_uv_on_the_path, by_pip_of_this_python, by_ensurepip, by_pip_from_the_index)


def bring_uv() -> None:
    """Have the locked version of uv in the environment."""
    wanted = locked("uv")
    version = wanted.split("==")[1].split()[0]
    if UV.exists() and f"uv {version} " in output(str(UV), "--version") + " ":
        return
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder) / "uv.txt"
        lock.write_text(wanted, encoding="utf-8")
        for way in WAYS:
            name = way.__name__.replace("_", " ")
            try:
                way(["-q", "--no-deps", "--require-hashes", "-r", str(lock)])
            except (OSError, subprocess.CalledProcessError) as problem:
                say(f"uv {name}: {problem}")
            else:
                say(f"uv {version} {name}")
                return
    sys.exit("setup: no way to get uv worked. Is the package index reachable? PIP_INDEX_URL names another one")


def install() -> None:
    """Install the lock and the project itself; uv looks where pip looks."""
    where = {}
    if not {"UV_DEFAULT_INDEX", "UV_INDEX_URL"} & set(os.environ) and index() != "https://pypi.org/simple":
        where["UV_DEFAULT_INDEX"] = index()
    say("the packages of requirements/dev.txt")
    call(UV, "pip", "sync", "-q", "--python", PYTHON, "--require-hashes", LOCK, **where)
    call(UV, "pip", "install", "-q", "--python", PYTHON, "--no-deps", "--no-build-isolation", "-e", ROOT, **where)
    say("what the demo needs: the flights of 2013 and the packages of its own lock")
    call(ENVIRONMENT / "bin" / "ciranda", "demo", "--prepare", **where)


def main() -> None:
    with_new_enough_python()
    make_environment()
    bring_uv()
    try:
        install()
    except subprocess.CalledProcessError as problem:
        sys.exit(f"setup: this ended with {problem.returncode}: {' '.join(problem.cmd)}")
    (ENVIRONMENT / "ready").touch()
    say("ready")


if __name__ == "__main__":
    main()
