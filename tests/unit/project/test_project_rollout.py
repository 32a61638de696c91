"""By which steps a release enters: what may be written, what it becomes, and what loosens it."""

from dataclasses import replace

import pytest

from ciranda.kernel import errors
from ciranda.project import read, rollout
from ciranda.project.rollout import Rollout
from ciranda.release import manifest

PLAIN = Rollout()


def written(text: str) -> Rollout | None:
    """What `rollout` of an environment is read as."""
    found = read.read_text(f'[project]\nname = "toy"\n[environments.prod]\n{text}\n', "ciranda.toml")
    return found.environments[0].rollout


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("", None),
        ("rollout = {}", PLAIN),
        ("rollout = { steps = [100] }", replace(PLAIN, steps=(100,))),
        ("rollout.steps = [1, 99, 100]", replace(PLAIN, steps=(1, 99, 100))),
        ('rollout = { quiet = "promote", at_most = 0.5 }', replace(PLAIN, quiet="promote", at_most=0.5)),
        ('rollout = { sticky = "header:X-User" }', replace(PLAIN, sticky="header:X-User")),
        ('rollout = { sticky = "cookie:session", objective = 0.2 }', replace(PLAIN, sticky="cookie:session", objective=0.2)),
    ],
)  # fmt: skip
def test_what_is_written_is_read(text: str, read_as: Rollout | None) -> None:
    assert written(text) == read_as


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rollout = 10", "a table"),
        ("rollout = { step = [100] }", 'has "step", which is not a key'),
        ("rollout = { steps = [] }", "whole numbers of percent"),
        ("rollout = { steps = [10, 50] }", "end at 100"),
        ("rollout = { steps = [50, 10, 100] }", "they grow"),
        ("rollout = { steps = [0, 100] }", "grow from 1"),
        ("rollout = { steps = [true, 100] }", "whole numbers"),
        ("rollout = { steps = 100 }", "whole numbers"),
        ('rollout = { quiet = "maybe" }', '"hold" or "promote"'),
        ("rollout = { at_most = 0 }", "seconds above 0"),
        ("rollout = { at_most = inf }", "seconds above 0"),
        ("rollout = { objective = 1 }", "between 0 and 1"),
        ("rollout = { objective = nan }", "between 0 and 1"),
        ('rollout = { sticky = "X-User" }', "sticky"),
        ('rollout = { sticky = "header:X User" }', "sticky"),
        ('rollout = { sticky = "header:X-Ciranda-User" }', "passes the gateway"),
        ('rollout = { sticky = "cookie:ciranda_7700" }', "passes the gateway"),
        ("rollout = { sticky = 1 }", "sticky"),
    ],
)
def test_what_is_wrong_is_told_at_its_line(text: str, said: str) -> None:
    with pytest.raises(errors.Refused) as caught:
        written(text)
    assert said in str(caught.value)
    assert caught.value.where == "ciranda.toml:4"


@pytest.mark.parametrize(
    ("base", "change", "lines"),
    [
        (None, PLAIN, 0),
        (PLAIN, PLAIN, 0),
        (PLAIN, None, 1),
        (PLAIN, replace(PLAIN, steps=(5, 10, 50, 100)), 0),
        (PLAIN, replace(PLAIN, steps=(10, 100)), 1),
        (PLAIN, replace(PLAIN, steps=(20, 50, 100)), 1),
        (PLAIN, replace(PLAIN, steps=(10, 50, 60, 100)), 0),
        (PLAIN, replace(PLAIN, quiet="promote"), 1),
        (replace(PLAIN, quiet="promote"), PLAIN, 0),
        (PLAIN, replace(PLAIN, at_most=1.0), 0),
        (replace(PLAIN, quiet="promote"), replace(PLAIN, quiet="promote", at_most=1.0), 1),
        (PLAIN, replace(PLAIN, objective=0.02), 1),
        (PLAIN, replace(PLAIN, objective=0.001), 0),
        (PLAIN, replace(PLAIN, sticky="header:A"), 0),
        (PLAIN, replace(PLAIN, steps=(50, 100), quiet="promote", objective=0.5), 3),
    ],
)
def test_what_loosens_a_rollout(base: Rollout | None, change: Rollout | None, lines: int) -> None:
    assert len(rollout.loosened("prod", base, change)) == lines


def test_a_release_has_it_only_where_it_is_declared() -> None:
    plain = manifest.Environment(None, {}, (), 300.0)
    rolling = replace(plain, rollout=replace(PLAIN, sticky="cookie:a"))
    made = [manifest.Manifest("toy", "c", "t", "i", {}, {}, {}, {}, {"prod": place}, "p") for place in (plain, rolling)]
    assert "rollout" not in made[0].document()["config"]["environments"]["prod"]
    assert made[0].digest != made[1].digest
    assert [manifest.read(one.data) for one in made] == made


def test_a_document_is_read_back() -> None:
    assert rollout.of_document(PLAIN.document()) == PLAIN
    assert rollout.of_document({}) is None
