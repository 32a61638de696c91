"""What is found in little repositories, and that what is proposed of any of them can be read."""

import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.project import read, template
from ciranda.project.detection import detect, listing
from ciranda.project.detection.proposal import Proposal, Proposed

FASTAPI = "from fastapi import FastAPI\n\napp = FastAPI()\n"
PIPELINE = """from ciranda import dataset, model

@dataset
def sales(raw_sales): return raw_sales

@model
def price(sales, depth=3): return 1
"""


def found(files: Mapping[str, str]) -> Proposal:
    def contents(path: str) -> bytes:
        return files[path].encode()

    return detect.detect(listing.bounded(files, contents))


def one(files: Mapping[str, str], section: str) -> Proposed:
    (proposed,) = found(files).of(section)
    return proposed


def sure(files: Mapping[str, str], section: str) -> list[str]:
    """The last line of everything that is written for a section."""
    return [each.lines[-1] for each in found(files).of(section) if each.sure]


def test_nothing_is_found_where_nothing_is() -> None:
    assert not found({})
    assert not found({"README.md": "# x", "LICENSE": ""})


def test_a_pipeline_is_known_by_its_marks() -> None:
    assert sure({"flows/build.py": PIPELINE, "other.py": "x = 1"}, "project") == ['pipeline = "flows/build.py"']
    plain = one({"pipeline.py": "def train(): ...\n"}, "project")
    assert "no function in it is marked" in plain.doubt
    two = {"pipeline.py": PIPELINE, "second.py": PIPELINE}
    assert sure(two, "project") == ['pipeline = "pipeline.py"']
    assert not sure({"pipeline.py": "def broken(:\n"}, "project")


def test_the_stages_of_dvc_are_told() -> None:
    stages = "stages:\n  # first\n  prepare:\n    cmd: x\n    deps:\n      - y\n  train@x:\n    cmd: z\n"
    text = f"vars:\n  - a: 1\n{stages}metrics:\n  other: 1\n"
    proposed = one({"dvc.yaml": text}, "project")
    assert proposed.why == "dvc.yaml has the stages prepare, train@x"
    assert "not run yet" in proposed.doubt


@pytest.mark.parametrize(
    ("paths", "lines"),
    [
        (["data/sales.csv"], ['sales = { files = "data/sales.csv" }']),
        (["data/a/1.csv", "data/a/2.csv", "data/a/3.csv"], ['a = { files = "data/a/*.csv" }']),
        (
            [f"data/year={year}/part.parquet" for year in range(5)], ['data = { files = "data/**/*.parquet" }'],
        ),
        (["data/2024-sales.csv"], ['data_2024_sales = { files = "data/2024-sales.csv" }']),
        (["src/app/datasets/x.json"], ['x = { files = "src/app/datasets/x.json" }']),
        (["tests/data/x.csv", "node_modules/data/y.csv", "notes.csv", "data/readme.md"], []),
        (['data/a"b.csv', "data/a\\b.csv", "data/a\nb.csv"], []),
    ],
)  # fmt: skip
def test_data_becomes_sources(paths: list[str], lines: list[str]) -> None:
    assert sure(dict.fromkeys(paths, ""), "sources") == lines


def test_sources_are_called_what_steps_take_them_by() -> None:
    files = {"pipeline.py": PIPELINE, "data/sales.csv": "", "data/price.csv": ""}
    assert sorted(sure(files, "sources")) == [
        'raw_price = { files = "data/price.csv" }', 'raw_sales = { files = "data/sales.csv" }',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "line", "doubt"),
    [
        ({"service.py": FASTAPI, "requirements.txt": "fastapi==1\n"}, 'app = "service:app"', ""),
        ({"src/shop/main.py": FASTAPI, "uv.lock": '[[package]]\nname = "fastapi"\n'}, 'app = "shop.main:app"', ""),
        (
            {"app/main.py": "import fastapi\napp: object = fastapi.FastAPI()", "requirements.txt": "-r more.txt", "more.txt": "FastAPI"},
            'app = "app.main:app"', "",
        ),
        ({"service.py": FASTAPI, "requirements.txt": "flask"}, 'app = "service:app"', "requirements.txt does not name fastapi"),
        ({"service.py": FASTAPI}, 'app = "service:app"', "no lock is here"),
        ({"my-app/main.py": FASTAPI, "requirements.txt": "fastapi"}, 'app = "my-app.main:app"', "my-app is not a name"),
        (
            {"backend/app/main.py": "from app import db\n" + FASTAPI, "backend/app/db.py": "", "requirements.txt": "fastapi"},
            'app = "backend.app.main:app"', "found from backend/ alone",
        ),
        (
            {"web.py": "from flask import Flask\napp = Flask(__name__)\n", "requirements.txt": "flask\ngunicorn"},
            "command = \"sh -c 'exec gunicorn --bind 127.0.0.1:$PORT web:app'\"", "",
        ),
        (
            {"web.py": "from flask import Flask\napp = Flask(__name__)\n", "requirements.txt": "flask"},
            "command = \"sh -c 'exec gunicorn --bind 127.0.0.1:$PORT web:app'\"", "does not name gunicorn",
        ),
        (
            {"web.py": "from fastapi import FastAPI\ndef create_app():\n    return FastAPI()\n", "requirements.txt": "fastapi"},
            'app = "web:create_app"', "",
        ),
        ({"serve.py": "def predict(rows: list[dict]) -> list[float]: ...\n"}, 'predict = "serve:predict"', ""),
        ({"serve.py": "def predict(x): ...\n"}, 'predict = "serve:predict"', "list of rows"),
        ({"serve.py": "def predict(rows: list[dict], clf): ...\n"}, 'uses = ["clf"]', "it takes clf"),
        ({"pipeline.py": PIPELINE, "serve.py": "def predict(rows: list[dict], price): ...\n"}, 'uses = ["price"]', ""),
        ({"Procfile": "web: node server.js\n"}, 'command = "node server.js"', ""),
        ({"Procfile": "web: node server.js --port $PORT\n"}, "command = \"sh -c 'exec node server.js --port $PORT'\"", ""),
        ({"Dockerfile": 'FROM x\nCMD ["node", "a b.js"]\n'}, "command = \"node 'a b.js'\"", "in a container"),
    ],
)  # fmt: skip
def test_programs_become_services(files: dict[str, str], line: str, doubt: str) -> None:
    proposed = one(files, "services")
    assert proposed.lines[-1] == line
    assert doubt in proposed.doubt
    assert bool(proposed.doubt) is bool(doubt)


def test_with_a_service_come_the_places_where_it_runs() -> None:
    files = {"service.py": FASTAPI, "requirements.txt": "fastapi", "Procfile": "web: uvicorn service:app\n"}
    assert found(files).of("environments")
    assert "the application above is the same" in found(files).of("services")[1].doubt
    assert not found({"service.py": FASTAPI}).of("environments")


@pytest.mark.parametrize(
    ("files", "command", "doubt"),
    [
        ({"tests/test_a.py": "import pytest", "requirements.txt": "pytest"}, "pytest -q", ""),
        ({"tests/test_a.py": "import pytest", "requirements.txt": ""}, "pytest -q", "requirements.txt does not name pytest"),
        ({"tests/test_a.py": "import unittest"}, "python -m unittest discover -s tests", ""),
        (
            {"tests/test_a.py": "import unittest", "tests/__init__.py": ""}, "python -m unittest discover -s tests -t .", "",
        ),
        (
            {"pyproject.toml": "[project]\nname='x'\ndependencies=[]\n[dependency-groups]\ndev=['ruff>=1']\n[tool.ruff]\n"},
            "ruff check .", "",
        ),
        ({"ruff.toml": ""}, "ruff check .", "no lock is here"),
        ({".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n      - run: make test\n"}, "make test", "that CI sets up"),
        (
            {".github/workflows/ci.yml": "steps:\n  - name: x\n    run: |\n      cd x\n      tox -e py\n  - uses: y\n"},
            "tox -e py", "that CI sets up",
        ),
        ({".gitlab-ci.yml": "t:\n  script:\n    - echo hi\n    - 'nox -s tests'\n  only: x\n"}, "nox -s tests", "that CI"),
    ],
)  # fmt: skip
def test_how_code_is_checked(files: dict[str, str], command: str, doubt: str) -> None:
    proposed = one(files, "checks")
    assert tomllib.loads(f"x = {proposed.lines[0]}") == {"x": command}
    assert doubt in proposed.doubt
    assert bool(proposed.doubt) is bool(doubt)


def test_schedules_become_comments() -> None:
    files = {
        ".github/workflows/nightly.yml": "on:\n  schedule:\n    - cron: '0 5 * * *'\n    - cron: 'nonsense'\n",
        "crontab": "# a comment\nSHELL=/bin/sh\n30 4 * * 1 python retrain.py\n",
    }
    said = found(files).of("jobs")
    assert [each.lines[-1] for each in said] == ['schedule = "0 5 * * *"', 'schedule = "30 4 * * 1"']
    assert all(each.doubt for each in said)
    assert said[1].why == "crontab runs python retrain.py then"


def test_what_is_only_told() -> None:
    assert "does not load" in found({"models/a.pkl": "", "models/b.joblib": "", "c.onnx": ""}).notes[0]
    assert "poetry.lock is not read" in found({"poetry.lock": "", "a.py": ""}).notes[0]
    assert "Ciranda's own Python" in found({"a.py": ""}).notes[0]
    many = found({f"docs/{number}.md": "" for number in range(listing.MOST + 3)})
    assert many.notes == ("3 files were not looked at",)


def test_large_files_and_what_is_no_text_are_not_read() -> None:
    def contents(path: str) -> bytes:
        return b"\xff\xfe" if path == "a.py" else b"x" * (listing.LARGEST + 1)

    seen = listing.bounded(["a.py", "b.py"], contents)
    assert seen.text("a.py") == seen.text("b.py") == ""


def test_what_is_written_says_what_was_found_and_why() -> None:
    files = {
        "pipeline.py": PIPELINE,
        "data/sales.csv": "",
        "tests/test_x.py": "import pytest",
        "crontab": "0 1 * * * x\n",
    }
    text = template.proposed("shop", found(files))
    project = read.read_text(text, "ciranda.toml")
    assert (project.name, project.pipeline, [one.files for one in project.sources]) == (
        "shop",
        "pipeline.py",
        ["data/sales.csv"],
    )
    assert '# code = ["pytest -q"]' in text
    assert "no lock is here" in text
    assert "# [services.prices]" in text, "what was not found stands there to choose from"


PATHS = st.sampled_from(
    [
        "pipeline.py", "train.py", "service.py", "app/main.py", "my-app/x.py", "src/a/b.py", "data/a.csv", "data/b.csv",
        "data/raw/x y.parquet", "data/é.json", "data/1.tsv", "dvc.yaml", "Procfile", "Dockerfile", "crontab", "requirements.txt",
        "pyproject.toml", "uv.lock", ".github/workflows/a.yml", ".gitlab-ci.yml", "tests/test_a.py", "models/m.pkl", "ruff.toml",
    ]
)  # fmt: skip
TEXTS = st.sampled_from(
    [
        "", PIPELINE, FASTAPI, "from flask import Flask\nx = Flask('a')\n", "def predict(rows: list[int], price): ...\n",
        "fastapi\nflask\ngunicorn\npytest\nruff\n", "[tool.ruff]\n[project]\ndependencies = ['fastapi']\n",
        "web: run 'it\" $PORT\nworker: x\n", 'CMD ["a", "b\\u0007\\"c"]\n', "CMD echo \"x'y\"\n", "* * * * * \x07 echo\n",
        "stages:\n  a\"b:\n  c:\n", "run: pytest \"a\\b\" 'c'\n", "  - run: |\n      pytest \x1b[0m\n      make test\n",
        "script:\n  - pytest\n", "- cron: '61 5 * * *'\n", 'name = "fastapi"\n',
    ]
) | st.text(max_size=60)  # fmt: skip


@given(st.dictionaries(PATHS, TEXTS, max_size=12))
def test_whatever_a_repository_holds_what_is_proposed_can_be_read(files: dict[str, str]) -> None:
    proposal = found(files)
    project = read.read_text(template.proposed("shop", proposal), "ciranda.toml")
    assert len(project.sources) == sum(each.sure for each in proposal.of("sources"))
    assert len(project.services) == sum(each.sure for each in proposal.of("services"))
    assert len(project.checks.code) == sum(each.sure for each in proposal.of("checks"))
