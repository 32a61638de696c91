"""Schemas of pandera and dataframely as checks of real runs, and checks that are flaky."""

from pathlib import Path

import pytest

from ciranda.kernel import digest
from ciranda.pipeline import engine, records
from support import pipeline as build

PIPELINE = """
import polars as pl
from ciranda import check, dataset
from schemas import Flight

@dataset
def flights(raw: pl.DataFrame) -> pl.DataFrame:
    return raw

@dataset
def far(flights: pl.DataFrame) -> pl.DataFrame:
    return flights.filter(pl.col("miles") > 100)

check(flights, schema=Flight)
"""
SCHEMAS = {
    "dataframely": "import dataframely as dy\nclass Flight(dy.Schema):\n    id = dy.Int64(primary_key=True)\n"
    "    miles = dy.Int64(min=LEAST)\n    who = dy.String(nullable=False)\n",
    "pandera.polars": "import pandera.polars as pa\nclass Flight(pa.DataFrameModel):\n    id: int = pa.Field(unique=True)\n"
    "    miles: int = pa.Field(ge=LEAST)\n    who: str\n",
    "pandera.pandas": "import pandera.pandas as pa\nFlight = pa.DataFrameSchema({'id': pa.Column(int, unique=True),\n"
    "    'miles': pa.Column(int, pa.Check.ge(LEAST)), 'who': pa.Column(str)})\n",
}
TOML = '[sources]\nraw = { files = "data/raw.csv" }\n[data]\nprivate = ["who"]\n'
CSV = "id,miles,who\n" + "".join(f"{n},{n * 10},p{n}\n" for n in range(50))


def schema(library: str, least: int) -> str:
    """The module of a schema."""
    return f"LEAST = {least}\n{SCHEMAS[library]}"


@pytest.mark.parametrize("library", SCHEMAS)
def test_a_schema_finds_the_wrong_rows_and_is_run_again_when_its_own_module_changes(
    library: str, tmp_path: Path
) -> None:
    with build.bench(tmp_path, PIPELINE, toml=TOML, data__raw_csv=CSV, schemas_py=schema(library, 0)) as bench:
        first = bench.run()
        assert [(o.check, o.passed, o.cached) for o in first.outcomes] == [("flights_schema", True, False)]
        assert bench.run().outcomes[0].cached

        bench.write(schemas_py=schema(library, 20))
        (outcome,) = bench.run().outcomes
        assert (outcome.passed, outcome.count, outcome.of) == (False, 2, 50)
        assert list(outcome.rules.values()) == [2]
        assert outcome.evidence is not None
        kept = digest.parse(bench.store.get(outcome.evidence))
        assert kept["columns"] == ["breaks", "miles", "id", "who"]
        assert [row[1:3] for row in kept["rows"]] == [[0, 0], [10, 1]]
        assert all(row[3].startswith("b3:") for row in kept["rows"])

        bench.write(schemas_py="# as it was\n" + schema(library, 0))
        assert bench.run().outcomes[0].cached


def test_the_bases_schema_judges_the_changes_assets(tmp_path: Path) -> None:
    with build.bench(
        tmp_path / "base", PIPELINE, toml=TOML, data__raw_csv=CSV, schemas_py=schema("dataframely", 20)
    ) as base:
        base_run = base.run()
        assert base_run.outcomes[0].passed is False
        interpreter = engine.interpreters.ensure(None, base.parts.interpreters, lambda _: None)
        fine = records.Version(**{**_fields(base_run.assets["far"]), "asset": "flights"})
        found = engine.check(
            base.request(),
            base.parts,
            names=["flights_schema"],
            assets={**base_run.assets, "flights": fine},
            interpreter=interpreter,
        )
        assert [(outcome.check, outcome.passed) for outcome in found] == [("flights_schema", True)]


FLAKY = """
from pathlib import Path
from ciranda import check, dataset

@dataset
def numbers() -> list:
    return [1]

@check(numbers)
def steady_now(numbers):
    return not Path("MARK").exists()
"""


def test_a_check_that_failed_and_passed_on_the_same_key_is_flaky(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with build.bench(tmp_path, FLAKY.replace("MARK", str(mark))) as bench:
        mark.touch()
        for time in (1, 2):  # a failure is found again each time, and by itself is no sign of anything
            (outcome,) = bench.run().outcomes
            assert (outcome.passed, outcome.cached, outcome.failed, outcome.tried, outcome.flaky) == (
                False, False, time, time, False,
            )  # fmt: skip
        mark.unlink()
        for cached in (False, True):
            (outcome,) = bench.run().outcomes
            assert (outcome.passed, outcome.cached, outcome.flaky) == (True, cached, True)
            assert (outcome.failed, outcome.tried) == (2, 3)

        mark.touch()  # a pass that is not taken, because of who made it, is found anew: now it fails
        (outcome,) = bench.run(trust="protected", accepts=("protected",)).outcomes
        assert (outcome.passed, outcome.flaky, outcome.failed, outcome.tried) == (False, True, 3, 4)


def test_other_inputs_start_afresh(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with build.bench(tmp_path, FLAKY.replace("MARK", str(mark))) as bench:
        mark.touch()
        assert bench.run().outcomes[0].failed == 1
        mark.unlink()
        bench.write(pipeline_py=FLAKY.replace("MARK", str(mark)).replace("[1]", "[2]"))
        (outcome,) = bench.run().outcomes
        assert (outcome.passed, outcome.flaky) == (True, False)


def _fields(version: records.Version) -> dict[str, object]:
    return {name: getattr(version, name) for name in version.__dataclass_fields__}
