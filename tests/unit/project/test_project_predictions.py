"""`predictions` of a service: what is declared, what is refused, and that releases without it stay what they are."""

from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.environment import revisions, specs
from ciranda.kernel import errors
from ciranda.pipeline.records import Version
from ciranda.project import read
from ciranda.project.predictions import Predictions
from ciranda.release import building, manifest

TEXT = """
[project]
name = "shop"

[data]
private = ["buyer"]

[services.prices]
predict = "service:predict"
uses = ["price"]
"""


def declared(line: str, text: str = TEXT) -> Predictions | None:
    return read.read_text(text + line, "ciranda.toml").services[0].predictions


def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    assert declared("") is None
    assert declared("predictions = {}") == Predictions(1.0, (), 30)
    assert declared('predictions = { sample = 0.1, redact = ["a", "a"], keep = 7 }') == Predictions(0.1, ("a",), 7)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("predictions = { sample = 0 }", "sample = 0"),
        ("predictions = { sample = true }", "sample = True"),
        ("predictions = { sample = 1.5 }", "sample = 1.5"),
        ("predictions = { keep = 0 }", "keep = 0"),
        ('predictions = { redact = "a" }', "redact = 'a'"),
        ("predictions = { sampel = 1.0 }", "sampel"),
        ("predictions = true", "not a table"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_line(line: str, wrong: str) -> None:
    with pytest.raises(errors.Invalid, match=wrong) as refused:
        declared(line)
    assert refused.value.where == "ciranda.toml:11"


def test_only_functions_are_asked_for_predictions() -> None:
    with pytest.raises(errors.Invalid, match="of a function alone"):
        declared("predictions = {}", TEXT.replace('predict = "service:predict"', 'command = "python shop.py"'))


def content(line: str) -> manifest.Manifest:
    project = read.read_text(TEXT + line, "ciranda.toml")
    made = {"price": Version("price", "b3:0d", "b3:key", "pickle", 1, "model")}
    return building.build(
        project, commit="c1", tree="t1", interpreter="b3:ab", parameters={}, assets=made, policy="b3:00"
    )


def test_a_release_says_it_only_where_it_is_declared_and_redacts_private_columns() -> None:
    plain, keeps = content(""), content('predictions = { redact = ["area"] }')
    assert "predictions" not in plain.document()["services"]["prices"]
    told = {"sample": 1.0, "redact": ["area", "buyer"], "keep": 30}
    assert keeps.document()["services"]["prices"]["predictions"] == told
    assert manifest.read(keeps.data) == keeps
    assert manifest.read(plain.data) == plain


def spec(made: manifest.Manifest) -> specs.port.InstanceSpec:
    ground = specs.Ground(Path("/home/trees"), "http://127.0.0.1:7780", Path("/home/predictions"))
    revision = revisions.Revision(
        "id", "shop", "prod", 7, "release", {}, {}, revisions.Verification(), "promotion", "ana", "target", "", False, 1,
        None, None,
    )  # fmt: skip
    program = specs.Program(Path("/python"))
    return specs.parts(made, revision, release="r1", ground=ground, program=program)[0].spec


def test_instances_know_where_to_write_and_how_long_it_is_kept_is_not_theirs() -> None:
    plain, keeps = spec(content("")), spec(content("predictions = {}"))
    assert "CIRANDA_PREDICTIONS" not in plain.variables
    assert all(not mount.writable for mount in plain.mounts)
    place = Path("/home/predictions/shop/prod/prices")
    assert specs.port.Mount(place, writable=True) in keeps.mounts
    assert replace(keeps, variables=plain.variables, mounts=plain.mounts).digest == plain.digest
    assert spec(content("predictions = { keep = 7 }")).digest == keeps.digest
    assert keeps.variables["CIRANDA_PREDICTIONS"] == (
        '{"folder": "/home/predictions/shop/prod/prices", "models": {"price": "b3:0d"}, "redact": ["buyer"], "sample": 1.0}'
    )
