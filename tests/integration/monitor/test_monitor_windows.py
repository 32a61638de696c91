"""Looks at what was collected: references, windows that add up, episodes with one event each."""

import random
from pathlib import Path
from typing import Any

import polars
import pytest

from ciranda.kernel import clock, events, migrations
from ciranda.kernel.store import Store
from ciranda.monitor.drift import count
from ciranda.monitor.predictions import batches, compacting
from ciranda.monitor.windows import episodes, looking, references, spans
from ciranda.monitor.windows.references import Reference
from support.kernel import Ledger
from support.predictions import PLACE, Spools


@pytest.fixture
def spools(ledger: Ledger, tmp_path: Path) -> Spools:
    opened = ledger.open()
    migrations.migrate(opened, ["ciranda.monitor"])
    return Spools(tmp_path / "predictions", opened, Store(tmp_path / "store"), tmp_path / "store")


def flights(rows: int, seed: int, later: float = 0.0) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [
        {
            "hour": chance.randrange(24),
            "carrier": chance.choice(["AA", "UA", "DL"]),
            "wind": chance.gauss(10 + later, 3),
        }
        | {"pilot": f"pilot {chance.randrange(9)}"}
        for _ in range(rows)
    ]


def trained(spools: Spools, release: str = "r1", rows: int = 3000) -> None:
    """The reference that the task of a release makes."""
    table = polars.DataFrame(flights(rows, 1)).with_columns(other=polars.lit(1))
    kept = references.put(spools.store, count.of_frame(table, ["pilot"]))
    made = Reference("flights", "", "delays", release, references.TRAINING, "history", kept, rows, 0, clock.now_us())
    spools.database.write(lambda tx: references.keep(tx, made))


def fly(spools: Spools, rows: int, seed: int, later: float = 0.0, release: str = "r1") -> None:
    """Requests that are collected at once."""
    given = flights(rows, seed, later)
    parts = [given[at : at + 1000] for at in range(0, rows, 1000)]
    asked = [(f"{seed}-{number}", part, [row["wind"] * 2 for row in part]) for number, part in enumerate(parts)]
    spools.predict(asked, release)
    spools.collector().look()


def look(spools: Spools, release: str = "r1") -> looking.Looked:
    found = looking.look(spools.database, spools.store, PLACE, release)
    assert found is not None
    return found


def told(spools: Spools) -> list[tuple[str, str]]:
    return [(one.kind, one.body["column"]) for one in events.after(spools.database, 0)]


def test_a_drift_is_an_episode_with_one_event_at_each_end(spools: Spools) -> None:
    assert looking.look(spools.database, spools.store, PLACE, "r1") is None
    fly(spools, 500, 2)
    assert look(spools).waits == "its reference is being made"
    trained(spools)
    fly(spools, 700, 3)
    quiet = look(spools)
    assert {column.name for one in quiet.looks for column in one.comparison.columns} == {
        "hour",
        "carrier",
        "wind",
        "pilot",
    }
    assert not any(one.comparison.findings for one in quiet.looks)

    fly(spools, 1000, 4, later=6.0)
    look(spools)
    look(spools)
    fly(spools, 300, 5, later=6.0)
    assert {one.column_name for one in episodes.opened(spools.database, "flights", "prod", "delays")} == {
        "wind",
        "prediction",
    }
    look(spools)
    assert sorted(told(spools)) == [("drift.found", "prediction"), ("drift.found", "wind")]
    found = next(one for one in events.after(spools.database, 0) if one.body["column"] == "wind")
    assert found.subject == "flights/prod"
    assert {
        "service",
        "release",
        "measure",
        "value",
        "floor",
        "rows",
        "window",
        "reference",
        "text",
    } <= found.body.keys()
    assert found.body["reference"] == "history, which r1 was trained on"

    fly(spools, 1200, 6)
    look(spools)
    assert sorted(told(spools))[2:] == [("drift.over", "prediction"), ("drift.over", "wind")]
    assert not episodes.opened(spools.database, "flights", "prod", "delays")


def test_few_rows_are_inconclusive_and_a_release_has_its_own_reference(spools: Spools) -> None:
    trained(spools)
    trained(spools, "r2")
    fly(spools, 1100, 2)
    look(spools)
    fly(spools, 60, 3, later=9.0, release="r2")
    (seen,) = look(spools, "r2").looks
    assert seen.comparison.inconclusive
    assert [one.check for one in seen.comparison.findings] in ([], ["range"])
    fly(spools, 1500, 4, later=9.0, release="r2")
    parts = {one.part for one in look(spools, "r2").looks}
    assert parts == {"training history"}  # all that there is of r2 is its first predictions
    fly(spools, 500, 5, later=9.0, release="r2")
    assert {one.part for one in look(spools, "r2").looks} == {"training history", "first"}
    assert {one.column_name for one in episodes.opened(spools.database, "flights", "prod", "delays")} == {"wind"}


def test_without_a_table_the_first_predictions_are_what_later_ones_are_compared_with(spools: Spools) -> None:
    nothing = references.none("flights", "delays", "r1", "it uses no model")
    spools.database.write(lambda tx: references.keep(tx, nothing))
    fly(spools, 400, 2)
    assert "it uses no model" in look(spools).waits
    fly(spools, 800, 3)
    assert look(spools).looks == ()
    fly(spools, 900, 4, later=6.0)
    look(spools)
    assert {column for _, column in told(spools)} == {"wind", "prediction"}


def test_batches_that_are_put_together_are_not_counted_again(spools: Spools, monkeypatch: pytest.MonkeyPatch) -> None:
    trained(spools)
    for seed in range(compacting.FEW + 2):
        fly(spools, 60, seed + 10)
    before = look(spools)
    later = clock.now_us() + 2 * compacting.AGE_US
    gone = compacting.compact(
        spools.database, spools.store, later, merged=lambda run: looking.merged(spools.store, run)
    )
    assert gone == compacting.FEW + 2
    (one,) = batches.of_service(spools.database, PLACE)
    after = next(each for each in looking.profiles_of(spools.store, one).values() if each.column("hour"))
    monkeypatch.setattr(looking, "_count", None)
    look(spools)
    hour = next(one for one in before.looks if one.span == spans.HOUR and one.window.column("hour"))
    assert after.rows == hour.window.rows == 60 * (compacting.FEW + 2)
    assert after.column("hour") == hour.window.column("hour")


def test_what_a_window_cannot_be_read_as_counts_as_missing(spools: Spools) -> None:
    trained(spools)
    given = [{"hour": "noon", "carrier": 7, "pilot": "x"} for _ in range(400)]
    spools.predict([("odd", given, [1] * 400)])
    spools.collector().look()
    (seen, *_) = look(spools).looks
    found = {(one.column, one.check) for one in seen.comparison.findings}
    assert ("hour", "missing") in found
    assert ("carrier", "new_values") in found
