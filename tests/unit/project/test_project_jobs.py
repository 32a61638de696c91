"""`[jobs.NAME]`: what it may say, and what is told of what it may not."""

import pytest

from ciranda.kernel import errors
from ciranda.project import against, declaration, problems, read

PROJECT = '[project]\nname = "toy"\n[environments.test]\n[environments.prod]\nafter = "test"\n[jobs.nightly]\n'


def test_a_job_is_read() -> None:
    text = 'run = ["scores"]\nschedule = "0 5 * * * America/Sao_Paulo"\nready_by = "07:00"\nretries = 2\ntimeout = 60\n'
    project = read.read_text(PROJECT + text + 'environments = ["test", "prod"]\nowner = "@data"\n', "ciranda.toml")
    assert project.jobs == (
        declaration.Job(
            name="nightly", run=("scores",), schedule="0 5 * * * America/Sao_Paulo", ready_by="07:00",
            environments=("test", "prod"), retries=2, timeout=60.0, owner="@data", line=6,
        ),
    )  # fmt: skip
    [plain] = read.read_text(PROJECT + 'run = ["a", "b"]\n', "ciranda.toml").jobs
    assert (plain.schedule, plain.ready_by, plain.environments, plain.retries) == (None, None, (), 0)


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("", 6, "jobs.nightly has no run", "write run"),
        ("run = []\n", 7, "jobs.nightly.run names nothing to make", ""),
        ("run = 'a'\n", 7, "not a list of texts", ""),
        ("run = ['a']\nschedul = ''\n", 8, "not a key", 'did you mean "schedule"?'),
        ("run = ['a']\nschedule = '0 5 * *'\n", 8, "jobs.nightly.schedule is wrong: it has 4 parts", "0 5 * * *"),
        ("run = ['a']\nschedule = '0 5 * * * Europa/Berlin'\n", 8, "is not a time zone", '"Europe/Berlin"?'),
        ("run = ['a']\nschedule = ''\n", 8, "an empty text", ""),
        ("run = ['a']\nschedule = '0 5 * * *'\nready_by = '7'\n", 9, '"7" is not a time of day', '"07:00"'),
        ("run = ['a']\nready_by = '07:00'\n", 8, "ready_by needs a schedule", "write schedule"),
        ("run = ['a']\nenvironments = ['prod']\n", 8, "says where a schedule holds", "by hand it runs everywhere"),
        (
            "run = ['a']\nschedule = '0 5 * * *'\nenvironments = [\n 'prd']\n",
            10,
            'names "prd", which is not an environment',
            'did you mean "prod"?',
        ),
        ("run = ['a']\nretries = -1\n", 8, "not a whole number from 0", ""),
        ("run = ['a']\nretries = true\n", 8, "not a whole number from 0", ""),
        ("run = ['a']\ntimeout = 0\n", 8, "not a number of seconds", ""),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, what: str, hint: str) -> None:
    with pytest.raises(problems.Declined) as caught:
        read.read_text(PROJECT + text, "ciranda.toml")
    assert any(
        what in problem.what and problem.where == f"ciranda.toml:{line}" and hint in problem.hint
        for problem in caught.value.problems
    ), caught.value.problems


def test_a_wrong_name_is_told() -> None:
    with pytest.raises(errors.Invalid, match=r"jobs\.Nightly has a wrong name"):
        read.read_text(PROJECT.replace("nightly", "Nightly") + "run = ['a']\n", "ciranda.toml")


def test_an_asset_that_nothing_makes_is_told_with_its_line() -> None:
    text = PROJECT + 'run = [\n "scores",\n "score",\n]\n'
    [problem] = against.against(read.read_text(text, "ciranda.toml"), ["scores"], [], text)
    assert (problem.what, problem.where) == (
        'jobs.nightly.run names "score", which no step or source makes', "ciranda.toml:9",
    )  # fmt: skip
    assert 'did you mean "scores"?' in problem.hint
