"""The reference files are the schema, the documentation and what `init` writes."""

import tomllib
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.project import against, layers, read, schema, template
from ciranda.project.declaration import Scalar


@pytest.mark.parametrize("name", sorted(schema.SECTIONS))
def test_a_reference_file_has_every_key_of_its_section_and_no_other(name: str) -> None:
    document = tomllib.loads(template.reference(name))
    assert set(document) == {name}
    section = schema.SECTIONS[name]
    tables = list(document[name].values()) if section.named else [document[name]]
    assert set().union(*tables) == set(section.keys)


def test_every_section_is_in_the_template() -> None:
    assert set(template.SECTIONS) == set(schema.SECTIONS)
    folder = Path(template.__file__).parent / "reference"
    assert {path.stem for path in folder.glob("*.toml")} == set(schema.SECTIONS)


def test_all_reference_files_together_are_a_declaration() -> None:
    text = "\n".join(template.reference(name) for name in template.SECTIONS)
    project = read.read_text(text, "ciranda.toml")
    assert [service.name for service in project.services] == ["prices", "web", "shop"]
    assert against.against(project, ["sales", "price"], ["sold_for_something"], text) == []


@pytest.mark.parametrize("working", [True, False])
def test_what_init_writes_is_read(working: bool) -> None:
    project = read.read_text(template.declaration("shop", working=working), "ciranda.toml")
    assert project.name == "shop"
    assert bool(project.pipeline) is working
    assert [e.name for e in project.environments] == (["test", "prod"] if working else [])


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("My Work 2", "my-work-2"),
        ("api", "project-api"),
        ("2024", "project-2024"),
        ("é", "project"),
        ("x" * 90, "x" * 40),
    ],
)
def test_a_folder_gives_its_name(folder: str, name: str) -> None:
    assert template.name_for(folder) == name


def test_a_name_that_nothing_makes_is_told_with_the_nearest() -> None:
    text = '[project]\nname = "a"\n[services.delays]\ncommand = "x"\nuses = [\n "flights",\n "delays",\n]\n'
    text += '[checks]\nwhen_unsure = { b = "warn" }\n'
    project = read.read_text(text, "ciranda.toml")
    first, second = against.against(project, ["delay", "flights"], ["bb"], text)
    assert (first.what, first.where) == (
        'services.delays.uses names "delays", which no step or source makes',
        "ciranda.toml:7",
    )
    assert first.hint == 'did you mean "delay"?        what there is: ciranda show'
    assert (second.where, second.hint) == ("ciranda.toml:10", 'did you mean "bb"?')


LAYERED = """
[project]
name = "toy"
[config.LEVEL]
default = "info"
[config.RATE]
type = "float"
default = 0.5
[config.ON]
type = "bool"
default = false
[environments.test]
config = { LEVEL = "debug" }
[environments.prod]
after = "test"
"""


def resolved(environment: str, **server: Scalar) -> dict[str, layers.Value]:
    project = read.read_text(LAYERED, "x")
    values = next(one.config for one in project.environments if one.name == environment)
    return layers.resolve({one.name: one for one in project.settings}, environment, values, server)


def test_the_last_layer_that_speaks_wins() -> None:
    assert resolved("test", RATE=1) == {
        "LEVEL": layers.Value("debug", "environments.test"),
        "RATE": layers.Value(1.0, "server"),
        "ON": layers.Value(False, "default"),
    }
    assert resolved("prod")["LEVEL"] == layers.Value("info", "default")
    assert resolved("prod", LEVEL="warn", GONE=1)["LEVEL"] == layers.Value("warn", "server")
    assert layers.text(False) == "false"


def test_a_value_of_the_server_that_is_not_of_the_declared_type_is_refused_with_both_ways_out() -> None:
    with pytest.raises(
        errors.Refused, match="ON is set to 1 for prod on the server, and the release declares true or false"
    ) as caught:
        resolved("prod", ON=1)
    assert caught.value.hint == "ciranda config set ON=… -e prod   or: ciranda config unset ON -e prod"


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        ("str", "", ""), ("str", "1", "1"), ("int", "-3", -3), ("int", "1.5", None), ("float", "1", 1.0),
        ("float", "nan", None), ("float", "inf", None), ("float", "x", None), ("bool", "True", True), ("bool", "0", None),
    ],
)  # fmt: skip
def test_what_is_written_is_read_as_its_type(type_: str, written: str, value: Scalar | None) -> None:
    found = layers.parsed(type_, written)
    assert (found, type(found)) == (value, type(value))
