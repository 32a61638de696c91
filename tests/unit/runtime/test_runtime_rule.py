"""The one rule for what a function takes, and the decorators that hold it."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ciranda
from ciranda.runtime import codecs, declare, rule


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the user's, where decorators register."""
    made = ModuleType("users_pipeline")
    monkeypatch.setitem(sys.modules, made.__name__, made)
    return made


def define(module: ModuleType, source: str) -> Any:
    """Run a user's code in the module."""
    names = "from ciranda import check, dataset, live, log, model, run, step\n"
    exec(compile(names + source, "users_pipeline.py", "exec"), module.__dict__)
    return module


def test_importing_ciranda_loads_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import ciranda; print(sorted(set(sys.modules) - before))"
    told = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['ciranda']"


def test_what_ciranda_offers() -> None:
    assert sorted(ciranda.__all__) == ["__version__", "check", "dataset", "live", "load", "log", "model", "run", "step"]
    assert all(getattr(ciranda, name) is not None for name in ciranda.__all__)
    with pytest.raises(AttributeError, match="'nothing'"):
        _ = ciranda.nothing  # type: ignore[attr-defined]
    assert set(ciranda.__all__) <= set(dir(ciranda))


def test_decorated_functions_stay_plain_and_register(module: ModuleType) -> None:
    define(
        module,
        "@dataset\ndef flights(raw): return raw + 1\n"
        "@step(timeout=60, retries=2)\ndef report(flights): return 'r'\n"
        "@check(flights, at_most=3, severity='warn', timeout=5)\ndef few(flights): return flights\n"
        "@check('raw')\ndef there(raw): return True\n",
    )
    assert module.flights(1) == 2
    assert module.few(3) == 3
    flights, report, few, there = vars(module)[declare.REGISTER]
    assert (flights.kind, flights.name, flights.asset, flights.function) == (
        "dataset",
        "flights",
        "flights",
        module.flights,
    )
    assert (report.kind, report.timeout, report.retries) == ("step", 60.0, 2)
    assert (few.asset, few.at_most, few.at_least, few.severity, few.timeout) == ("flights", 3.0, None, "warn", 5.0)
    assert there.asset == "raw"


@pytest.mark.parametrize(
    "source",
    [
        "@step\ndef Flights(): ...",
        "@step\ndef _x(): ...",
        "@step\nclass flights: ...",
        "@step(timeout=0)\ndef x(): ...",
        "@step(timeout='1')\ndef x(): ...",
        "@step(retries=-1)\ndef x(): ...",
        "@step(retries=True)\ndef x(): ...",
        "@step\nasync def x(): ...",
        "@check\ndef x(): ...",
        "@check(3)\ndef x(): ...",
        "@check('Bad')\ndef x(): ...",
        "@check('a', severity='loud')\ndef x(): ...",
        "@check('a', at_least=2, at_most=1)\ndef x(): ...",
        "@check('a', at_least=float('nan'))\ndef x(): ...",
        "@check('a', at_least=True)\ndef x(): ...",
        "def x(a=live('A')): ...",
        "def x(a=live(x)): ...",
    ],
)
def test_mistakes_are_refused_where_they_are_made(module: ModuleType, source: str) -> None:
    with pytest.raises((TypeError, ValueError, NameError)):
        define(module, source)
    assert not vars(module).get(declare.REGISTER)


def test_the_rule(module: ModuleType) -> None:
    def function(  # noqa: PLR0917
        flights: pl.LazyFrame,
        other: "pl.DataFrame",
        raw,  # type: ignore[no-untyped-def]
        maybe: pl.DataFrame | None,
        noted: Annotated[dict[str, int], "note"],
        now=ciranda.live("delay"),
        facts=ciranda.run(),
        depth: int = 6,
        layers=(3, 4),
        nothing=None,
    ) -> list[float]: ...

    taken = rule.taken(function, "check")
    assert [(item.parameter, item.asset, item.marker, item.type) for item in taken.inputs] == [
        ("flights", "flights", None, "polars.LazyFrame"),
        ("other", "other", None, "polars.DataFrame"),
        ("raw", "raw", None, ""),
        ("maybe", "maybe", None, "polars.DataFrame"),
        ("noted", "noted", None, "dict[str, int]"),
        ("now", "delay", "live", ""),
        ("facts", "", "run", ""),
    ]
    assert taken.parameters == {"depth": 6, "layers": [3, 4], "nothing": None}
    assert taken.returns == "list[float]"
    with pytest.raises(rule.Mistake, match=r"now=live\('delay'\): what is live is an input of a check, not of a model"):
        rule.taken(function, "model")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def f(*names): ...", r"it takes \*names"),
        ("def f(**names): ...", r"it takes \*\*names"),
        ("def f(Frame): ...", "'Frame' is no name of an asset"),
        ("def f(when=print): ...", "its parameter when has the default .* which JSON cannot say"),
        ("def f(rate=float('nan')): ...", "its parameter rate has the default nan, which JSON cannot say"),
    ],
)
def test_what_the_rule_refuses(module: ModuleType, source: str, says: str) -> None:
    with pytest.raises(rule.Mistake, match=says):
        rule.taken(define(module, source).f, "step")


def test_annotations_that_cannot_be_resolved_stay_as_they_are(module: ModuleType) -> None:
    define(module, "def f(a: 'nowhere.Thing', b: 'int'): ...")
    assert [item.type for item in rule.taken(module.f, "step").inputs] == ["nowhere.Thing", "int"]


def test_markers_outside_a_run_are_harmless() -> None:
    assert not ciranda.live("delay")
    assert (ciranda.run().id, ciranda.run().commit, ciranda.run().dirty) == ("", None, 0)
    assert ciranda.run().folder.is_dir()


def test_parameters_take_the_type_of_their_default() -> None:
    assert rule.coerce((1, 2), [3]) == (3,)
    assert isinstance(rule.coerce(0.5, 1), float)
    assert rule.coerce(1, 2) == 2
    assert rule.coerce(0.5, True) is True


def test_figures_are_validated_everywhere_and_kept_in_a_step() -> None:
    import numpy

    from ciranda.runtime.figures import Recorder

    ciranda.log(auc=0.5, rows=3, note="fine", by={"a": [1, None, True]}, scalar=numpy.float32(0.5))
    for wrong in (float("nan"), object(), {1: 2}, numpy.zeros(3), b"bytes"):
        with pytest.raises((TypeError, ValueError), match="figure"):
            ciranda.log(figure=wrong)
    with pytest.raises(ValueError, match="at most 65,536 bytes"):
        ciranda.log(text="x" * 70_000)
    recorder = Recorder()
    recorder.add({"before": 1})
    recorder.begin()
    recorder.add({"a": 1, "b": numpy.int64(2)})
    recorder.add({"a": 3})
    assert recorder.end() == {"a": 3, "b": 2}
    assert recorder.end() == {}


@given(st.from_regex(r"[a-z][a-z0-9_]{0,30}", fullmatch=True))
def test_every_name_of_an_asset_can_be_live(name: str) -> None:
    assert ciranda.live(name).asset == name


@given(st.text(max_size=10).filter(lambda text: not declare.NAME.match(text)))
def test_no_other_name_can(name: str) -> None:
    with pytest.raises(ValueError, match="name of an asset"):
        ciranda.live(name)


def test_annotations_of_subclasses_ask_for_what_they_are_based_on() -> None:
    class Typed(pl.DataFrame):
        pass

    assert codecs.wanted(Typed) == "polars.DataFrame"
    assert codecs.wanted(Path | None) == "pathlib.Path"
    assert codecs.wanted(list[Path]) == "list[pathlib.Path]"
