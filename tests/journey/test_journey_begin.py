"""A repository that is there already becomes a project: what it has is found, asked about, written, and runs."""

import os
import pty
import select
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from support import project as projects

LOCK = "fastapi==0.115.14\nstarlette==0.46.2\npydantic==2.11.7\n"
FILES = {
    "shop/__init__.py": "",
    "shop/main.py": (
        "from fastapi import FastAPI\n\nfrom shop import prices\n\napp = FastAPI()\n\n\n@app.get('/')\n"
        "def root():\n    return prices.LOW\n"
    ),
    "shop/prices.py": "LOW = 1\n",
    "tests/test_prices.py": (
        "import unittest\n\nfrom shop import prices\n\n\nclass Prices(unittest.TestCase):\n"
        "    def test_low(self):\n        self.assertEqual(prices.LOW, 1)\n"
    ),
    "data/sales.csv": "id,price\n1,2\n",
    "data/stock/monday.csv": "id\n1\n", "data/stock/sunday.csv": "id\n2\n", "data/stock/today.csv": "id\n3\n",
    "pipeline.py": (
        "from ciranda import dataset\n\n\n@dataset\ndef total(raw_sales: str) -> dict:\n"
        "    return {'rows': raw_sales.count('\\n')}\n"
    ),
    ".github/workflows/ci.yml": "on:\n  schedule:\n    - cron: '0 5 * * *'\njobs:\n  a:\n    steps:\n      - run: make test\n",
    "models/old.pkl": "",
    ".gitignore": "*.bin\n",
    "README.md": "mine\n",
}  # fmt: skip


@pytest.fixture
def shop(tmp_path: Path) -> projects.Project:
    """A repository that knows nothing of Ciranda's declaration."""
    reaching = {name: value for name, value in os.environ.items() if name.startswith(("UV_", "SSL_CERT_"))}
    made = projects.Project(tmp_path / "shop", tmp_path / "home", reaching)
    made.root.mkdir()
    made.git("init", "--quiet").succeeds()
    made.write({**FILES, "requirements.txt": LOCK})
    made.commit("as it was")
    return made


def test_a_repository_becomes_a_project_that_runs(shop: projects.Project) -> None:
    said = shop.ciranda("init", "--yes").succeeds().out
    assert '✓ [project] pipeline = "pipeline.py"' in said
    assert '✓ [services.shop] app = "shop.main:app"' in said
    assert "as a comment: say which assets are made anew" in said
    assert "models/old.pkl: saved models, which Ciranda does not load" in said
    assert shop.git("status", "--porcelain").out == "?? ciranda.toml\n", "nothing else is touched"
    ran = shop.ciranda("run").succeeds().out
    assert "✓ raw_sales " in ran
    assert "✓ total " in ran
    assert "3 steps: 3 ran" in ran
    assert "3 steps unchanged" in shop.ciranda("run").succeeds().out
    doctor = shop.ciranda("doctor", "--json").succeeds().json
    project = {finding["what"]: finding["level"] for finding in doctor["parts"][2]["findings"]}
    assert project["1 service, each with its program"] == "ok"
    assert project["2 sources, each with files"] == "ok"
    again = shop.ciranda("init").succeeds().out
    assert "ciranda.toml was there and stays" in again
    assert "found here" not in again


def answered(shop: projects.Project, answer: str) -> tuple[int, str]:
    """`ciranda init` on a terminal where somebody answers."""
    ours, theirs = pty.openpty()
    variables = {name: value for name, value in shop.environment.items() if name != "CI"}
    argv = [str(projects.CIRANDA), "init"]
    started = subprocess.Popen(argv, cwd=shop.root, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # the terminal ends with the process
        while select.select([ours], [], [], 30.0)[0] and (piece := os.read(ours, 4096)):
            if b"[Y/n]" in piece:
                os.write(ours, answer.encode())
            said += piece
    os.close(ours)
    return started.wait(30), said.decode()


def test_on_a_terminal_somebody_is_asked(shop: projects.Project) -> None:
    code, said = answered(shop, "n\n")
    assert code == 1
    assert "nothing was written" in said
    assert not (shop.root / "ciranda.toml").exists()
    code, _ = answered(shop, "\n")
    assert code == 0
    assert (shop.root / "ciranda.toml").exists()


def test_what_was_found_as_json(shop: projects.Project) -> None:
    told = shop.ciranda("init", "--json").succeeds().json
    assert told["written"] == ["ciranda.toml"]
    sure = [one["section"] for one in told["proposal"]["found"] if not one["doubt"]]
    assert sure == ["project", "sources", "sources", "checks", "services", "environments"]
