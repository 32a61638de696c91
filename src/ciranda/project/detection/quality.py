"""How the code is checked today: tests, linters, what a forge's CI runs and when."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from ciranda.kernel import errors
from ciranda.project import cron
from ciranda.project.detection.listing import Listing, Needs, hidden, quoted, tested
from ciranda.project.detection.proposal import Proposed, service_name

_LINTERS = (  # distribution, the table in pyproject.toml, files, the command
    ("ruff", "ruff", ("ruff.toml", ".ruff.toml"), "ruff check ."),
    ("mypy", "mypy", ("mypy.ini", ".mypy.ini"), "mypy"),
    ("flake8", "flake8", (".flake8",), "flake8"),
    ("black", "black", (), "black --check ."),
    ("pylint", "pylint", (".pylintrc", "pylintrc"), "pylint src"),
)
_CHECKS = re.compile(
    r"\b(pytest|unittest|tox|nox|ruff|flake8|mypy|pyright|black|pylint|make (test|check|lint)|npm (run )?test|just \w+)\b"
)
_CRON = re.compile(r"^\s*((?:[\d*/,\-]+\s+){2}[\w*/,\-]+\s+[\w*/,\-]+\s+[\w*/,\-]+)\s+(\S.*)$")
MOST = 8  # commands of a CI that are told


def checks(listing: Listing, needs: Needs) -> list[Proposed]:
    """Commands that a push should pass."""
    return [*_tests(listing, needs), *_linters(listing, needs), *_pipelines(listing)]


def jobs(listing: Listing) -> list[Proposed]:
    """What runs on a schedule today. Which assets that makes, nobody can tell from outside: always a comment."""
    found, taken = [], list[str]()
    for path, schedule, command in _schedules(listing):
        try:
            cron.parse(schedule)
        except errors.Invalid:
            continue
        name = service_name(PurePosixPath(path).stem.removesuffix("ci") or "nightly", taken, ())
        taken.append(name)
        lines = (f"[jobs.{name}]", 'run = ["…"]', f"schedule = {quoted(schedule)}")
        said = f"{path} runs {_clipped(command)} then" if command else f"{path} runs on this schedule"
        found.append(Proposed("jobs", lines, said, "say which assets are made anew"))
    return found


def stages(listing: Listing) -> list[Proposed]:
    """What a `dvc.yaml` says, which is not run yet."""
    if "dvc.yaml" not in listing.paths:
        return []
    names = _below(listing.text("dvc.yaml"), "stages")
    what = f"dvc.yaml has the stages {', '.join(names)}" if names else "dvc.yaml is there"
    return [
        Proposed(
            "project",
            ('pipeline = "pipeline.py"',),
            what,
            "DVC pipelines are not run yet: make each a function of pipeline.py",
        )
    ]


def locks(listing: Listing, needs: Needs) -> list[str]:
    """What is said of what the project needs."""
    if needs.file:
        return []
    other = next(
        (
            path
            for path in ("poetry.lock", "Pipfile.lock", "environment.yml", "conda.yml", "setup.py")
            if path in listing.paths
        ),
        None,
    )
    how = "uv lock, or uv pip compile requirements.in -o requirements.txt"
    if other is not None:
        return [f"{other} is not read: write uv.lock or requirements.txt ({how})"]
    if listing.code:
        return [
            f"nothing says what the code needs, so it runs in Ciranda's own Python: write uv.lock or requirements.txt ({how})"
        ]
    return []


def _tests(listing: Listing, needs: Needs) -> Iterator[Proposed]:
    files = [path for path in listing.paths if path.endswith(".py") and tested(path) and not hidden(path)]
    cases = [path for path in files if PurePosixPath(path).name.startswith("test") or path.endswith("_test.py")]
    if not cases:
        return
    folder = cases[0].partition("/")[0] if "/" in cases[0] else "."
    why = (
        f"{len(cases):,} test {'file' if len(cases) == 1 else 'files'} in {folder}/"
        if folder != "."
        else "there are tests"
    )
    texts = [listing.text(path) for path in cases[:200]]
    unittests = all("unittest" in text and "import pytest" not in text for text in texts)
    if not needs.lack("pytest"):
        yield Proposed("checks", (quoted("pytest -q"),), why)
    elif unittests:
        start = f"-s {folder} -t ." if f"{folder}/__init__.py" in listing.paths else f"-s {folder}"
        yield Proposed("checks", (quoted(f"python -m unittest discover {start}"),), why)
    else:
        yield Proposed("checks", (quoted("pytest -q"),), why, needs.lack("pytest"))


def _linters(listing: Listing, needs: Needs) -> Iterator[Proposed]:
    tables = listing.toml("pyproject.toml").get("tool", {})
    for name, table, files, command in _LINTERS:
        where = next((path for path in files if path in listing.paths), "pyproject.toml" if table in tables else "")
        if where:
            yield Proposed("checks", (quoted(command),), f"{where} configures {name}", needs.lack(name))


def _pipelines(listing: Listing) -> Iterator[Proposed]:
    """The commands of a CI that look like checks."""
    for path in listing.paths:
        if not _is_ci(path):
            continue
        told = [line for line in _commands(listing.text(path)) if _CHECKS.search(line) and line.isprintable()]
        for command in list(dict.fromkeys(told))[:MOST]:
            yield Proposed("checks", (quoted(command),), f"{path} runs this", "it may need what that CI sets up")


def _is_ci(path: str) -> bool:
    return path == ".gitlab-ci.yml" or (path.startswith(".github/workflows/") and path.endswith((".yml", ".yaml")))


def _commands(text: str) -> Iterator[str]:
    """The lines of `run:` (GitHub) and of lists below `script:` (GitLab), read as lines: what YAML does beyond that is not seen."""
    block, script = -1, -1
    for line in text.splitlines():
        bare, depth = line.strip(), len(line) - len(line.lstrip())
        if not bare or bare.startswith("#"):
            continue
        if block >= 0:
            if depth > block:
                yield bare
                continue
            block = -1
        if script >= 0:
            if bare.startswith("- ") and depth >= script:
                yield _unquoted(bare[2:])
                continue
            script = -1
        found = re.match(r"(?:- )?run:\s*(.*)$", bare)
        if found:
            if found[1] in ("", "|", ">", "|-", ">-", "|+", ">+"):
                block = depth + (2 if bare.startswith("- ") else 0)
            else:
                yield _unquoted(found[1])
        elif re.match(r"(before_script|script|after_script):\s*$", bare):
            script = depth


def _schedules(listing: Listing) -> Iterator[tuple[str, str, str]]:
    """Path, schedule and command of everything that runs on a clock."""
    for path in listing.paths:
        name = PurePosixPath(path).name
        if _is_ci(path):
            for found in re.finditer(r"^\s*-?\s*cron:\s*['\"]?([^'\"\n#]+)", listing.text(path), re.MULTILINE):
                yield path, found[1].strip(), ""
        elif name in ("crontab", "crontab.txt") or path.endswith((".cron", ".crontab")) or "cron.d/" in path:
            for line in listing.text(path).splitlines():
                matched = None if line.lstrip().startswith("#") else _CRON.match(line)
                if matched:
                    yield path, " ".join(matched[1].split()), matched[2]


def _below(text: str, key: str) -> list[str]:
    """The keys right below a key at the left margin of a YAML file, read as lines."""
    names, inside, depth = list[str](), False, 0
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        at = len(line) - len(line.lstrip())
        if at == 0:
            inside, depth = line.startswith(f"{key}:"), 0
        elif inside:
            depth = depth or at
            found = re.match(r"([\w@.-]+):", line.strip())
            if at == depth and found:
                names.append(found[1])
    return names


def _unquoted(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _clipped(text: str) -> str:
    plain = "".join(one if one.isprintable() else " " for one in text)
    return plain if len(plain) <= 60 else plain[:59] + "…"
