"""Fingerprint 1, a test a rule: what makes a step run again, and what does not."""

from textwrap import dedent

import pytest

from ciranda.kernel import digest
from ciranda.pipeline import fingerprint, normalise, records
from support import pipeline as build

PIPELINE = '''
"""A pipeline."""
from ciranda import check, dataset, live, model
import features

SCALE = 2

@dataset
def flights(raw):
    """The flights."""
    return [features.hour(row) for row in raw]

@check(flights)
def flown_once(flights):
    return len(set(flights)) == len(flights)

@model(timeout=60)
def delay(flights, depth: int = 6):
    return {"depth": depth * SCALE}

@check(delay, at_least=0.5)
def good(delay, now=live("delay")):
    return delay["depth"]
'''
FEATURES = """
def hour(row):
    return row % 24

def unused():
    return 1
"""
MODULES = {"pipeline.py": ("features.py",), "features.py": ()}
STEPS = [build.step("flights", "raw"), build.step("delay", "flights")]
CHECKS = [build.check("flown_once", "flights"), build.check("good", "delay")]


def module(text: str) -> fingerprint.Module:
    data = dedent(text).encode()
    pieces = tuple(
        fingerprint.Piece(kind, name, line, digest.of("code", said), digest.of("code", shell), frozenset(names))
        for kind, name, line, said, shell, names in normalise.normalise(data)
    )
    return fingerprint.Module(digest.digest("object", data), pieces)


def prints(
    pipeline: str = PIPELINE,
    features: str = FEATURES,
    *,
    files: tuple[str, ...] = ("conf.yaml",),
    python: tuple[str, ...] = (),
    modules: dict[str, tuple[str, ...]] = MODULES,
    steps: list[records.Step] = STEPS,
    **more: str,
) -> dict[str, str]:
    """The fingerprint of every step and check, by name."""
    texts = {"pipeline.py": pipeline, "features.py": features, **{f"{name}.py": text for name, text in more.items()}}
    described = build.description(steps, CHECKS, modules)
    found = fingerprint.Fingerprints(
        described,
        {path: module(text) for path, text in texts.items()},
        files,
        python,
        lambda paths: digest.of("code", sorted(paths)),
    )
    nodes: list[records.Step | records.Check] = [*described.steps, *described.checks]
    return {node.name: found.of(node).fingerprint for node in nodes}


def changed(**after: object) -> set[str]:
    """The nodes whose fingerprint is another one than that of the texts above."""
    before, now = prints(), prints(**after)  # type: ignore[arg-type]
    return {name for name, print_ in now.items() if before[name] != print_}


def edited(old: str, new: str) -> str:
    assert PIPELINE.count(old) == 1, old
    return PIPELINE.replace(old, new)


EVERY = {"flights", "flown_once", "delay", "good"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SCALE = 2", "# twice as much\nSCALE    =    2   # as it should be"),
        ('"""The flights."""', '"""All of the flights of the year, with their hours."""'),
        ('"""A pipeline."""', '"""Another word for it."""'),
        (
            "    return [features.hour(row) for row in raw]",
            "\n    return [\n        features.hour(row)\n        for row in raw\n    ]",
        ),
        ('{"depth": depth * SCALE}', "{'depth': depth * SCALE}"),
    ],
)
def test_comments_formatting_and_docstrings_do_not_count(old: str, new: str) -> None:
    assert changed(pipeline=edited(old, new)) == set()


def test_a_body_counts_for_its_own_step_alone() -> None:
    assert changed(pipeline=edited("depth * SCALE", "depth * SCALE + 1")) == {"delay"}
    assert changed(pipeline=edited("len(set(flights)) ==", "0 <")) == {"flown_once"}


def test_signature_and_decorator_count_for_their_own_step_alone() -> None:
    assert changed(pipeline=edited("depth: int = 6", "depth: int = 8")) == {"delay"}
    assert changed(pipeline=edited("@model(timeout=60)", "@model")) == {"delay"}
    assert changed(pipeline=edited("at_least=0.5", "at_least=0.6")) == {"good"}
    assert changed(pipeline=edited('live("delay")', 'live("flights")')) == {"good"}


def test_the_rest_of_the_module_counts_for_every_step() -> None:
    assert changed(pipeline=edited("SCALE = 2", "SCALE = 3")) == EVERY
    assert changed(pipeline=PIPELINE + "\nprint('imported')\n") == EVERY


def test_a_function_of_an_imported_module_counts_even_if_it_is_not_called() -> None:
    assert changed(features=FEATURES.replace("row % 24", "row % 12")) == EVERY
    assert changed(features=FEATURES.replace("return 1", "return 2")) == EVERY
    assert changed(features="# hours\n" + FEATURES) == set()


def test_a_module_is_reached_through_others_and_with_its_packages() -> None:
    chain = {"pipeline.py": ("pkg/a.py",), "pkg/a.py": ("features.py",), "features.py": (), "pkg/__init__.py": ()}

    def with_package(init: str) -> dict[str, str]:
        return prints(modules=chain, **{"pkg/a": "import features", "pkg/__init__": init})

    assert with_package("A = 1") != with_package("A = 2")
    unreached = {**MODULES, "other.py": ()}
    assert prints(modules=unreached, other="A = 1") == prints(modules=unreached, other="A = 2") == prints()


def test_a_step_that_another_one_calls_counts_for_it() -> None:
    calling = edited("    return {", "    flights_again = globals  # noqa\n    flown = flown_once([])\n    return {")
    edited_too = calling.replace("== len(flights)", "< len(flights)")
    before, now = prints(calling), prints(edited_too)
    assert {name for name in now if before[name] != now[name]} == {"flown_once", "delay"}


def test_a_step_that_a_helper_calls_counts_for_every_step_of_the_module() -> None:
    helper = PIPELINE + "\ndef both(rows):\n    return delay(rows)\n"
    before, now = prints(helper), prints(helper.replace("depth * SCALE", "depth"))
    assert {name for name in now if before[name] != now[name]} == EVERY


def test_what_a_definition_does_to_the_module_counts() -> None:
    assert changed(pipeline=edited("@dataset\n", "@dataset\n@features.registered\n")) == EVERY
    assert changed(pipeline=edited("depth: int = 6", "depth: int = features.unused()")) == EVERY


def test_files_that_could_be_read_count_for_every_step() -> None:
    assert changed(files=("conf.yaml", "more.yaml")) == EVERY


def test_python_files_that_nothing_imports_count_only_where_modules_are_loaded_by_hand() -> None:
    assert changed(python=("pipeline.py", "service.py")) == set()
    dynamic = edited('{"depth": depth * SCALE}', '__import__("service").fit(depth)')
    one, two = prints(dynamic, python=("service.py",)), prints(dynamic, python=("service.py", "other.py"))
    assert {name for name in one if one[name] != two[name]} == {"delay"}


def test_a_file_that_is_not_python_counts_as_its_bytes() -> None:
    described = build.description(STEPS[:1])

    def of(name: str) -> str:
        odd = {"pipeline.py": fingerprint.Module(name, None), "features.py": fingerprint.Module("x", None)}
        return fingerprint.Fingerprints(described, odd, (), (), lambda _: "").of(described.steps[0]).fingerprint

    assert of("a") != of("b")


def test_what_is_left_out_of_the_files() -> None:
    paths = [
        "README.md",
        "a/b.md",
        "docs/x.txt",
        "tests/data.csv",
        "uv.lock",
        "ciranda.toml",
        "data/raw.csv",
        "conf.yaml",
        "a.py",
        "tests/t.py",
    ]
    assert fingerprint.split(paths, ["data/raw.csv"], "uv.lock") == (["conf.yaml"], ["a.py"])
    assert fingerprint.split(["uv.lock"], [], None) == (["uv.lock"], [])


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("data/*.csv", ["data/a.csv", "data/b.csv"]),
        ("data/**/*.csv", ["data/a.csv", "data/b.csv", "data/old/c.csv"]),
        ("**/*.csv", ["data/a.csv", "data/b.csv", "data/old/c.csv"]),
        ("data", ["data/a.csv", "data/b.csv", "data/old/c.csv", "data/x.txt"]),
        ("data/a.csv", ["data/a.csv"]),
        ("data/[ab].csv", ["data/a.csv", "data/b.csv"]),
        ("dat", []),
        ("data/**", ["data/a.csv", "data/b.csv", "data/old/c.csv", "data/x.txt"]),
    ],
)
def test_the_files_of_a_source(pattern: str, found: list[str]) -> None:
    paths = ["data/b.csv", "data/a.csv", "data/old/c.csv", "data/x.txt", "database.csv2"]
    assert fingerprint.matching(paths, pattern) == found


SCHEMA = "\nfrom schemas import Flight\n\ncheck(flights, schema=Flight)\n"
SCHEMAS = "class Flight:\n    far = 1\n"


def with_schema(pipeline: str, schemas: str = SCHEMAS, *, declared: bool = True) -> dict[str, str]:
    """The fingerprints of the pipeline above with a schema check of `flights` from a module of its own."""
    line = next(number for number, text in enumerate(pipeline.splitlines(), 1) if "schema=Flight" in text)
    function = f"pipeline:{'<schema>' if declared else ''}flights_schema"
    check = records.Check("flights_schema", "flights", function, "pipeline.py", line, (), {})
    described = build.description(
        STEPS, [*CHECKS, check], {**MODULES, "pipeline.py": ("features.py", "schemas.py"), "schemas.py": ()}
    )
    texts = {"pipeline.py": pipeline, "features.py": FEATURES, "schemas.py": schemas}
    found = fingerprint.Fingerprints(
        described, {path: module(text) for path, text in texts.items()}, (), (), lambda _: ""
    )
    return {node.name: found.of(node).fingerprint for node in (*described.steps, *described.checks)}


def test_a_schema_that_is_edited_in_its_own_module_changes_its_check() -> None:
    before, after = with_schema(PIPELINE + SCHEMA), with_schema(PIPELINE + SCHEMA, SCHEMAS.replace("1", "2"))
    assert before["flights_schema"] != after["flights_schema"]


def test_the_step_that_a_schema_tests_is_not_called_by_it() -> None:
    before = with_schema(PIPELINE + SCHEMA)
    after = with_schema(edited("features.hour(row) for", "features.hour(row + 1) for") + SCHEMA)
    assert {name for name in before if before[name] != after[name]} == {"flights"}


def test_a_statement_that_only_looks_like_a_schema_counts_as_a_call() -> None:
    before = with_schema(PIPELINE + SCHEMA, declared=False)
    after = with_schema(edited("features.hour(row) for", "features.hour(row + 1) for") + SCHEMA, declared=False)
    assert {name for name in before if before[name] != after[name]} == {*EVERY, "flights_schema"}
