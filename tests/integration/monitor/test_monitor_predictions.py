"""Spools are collected once, whoever is killed where; what is kept is found by time and by request, and joined with what was said."""

import fcntl
import os
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest

from ciranda.kernel import clock, errors, migrations
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches, collecting, compacting, reading
from support.kernel import Ledger
from support.predictions import PLACE, Spools


@pytest.fixture
def spools(ledger: Ledger, tmp_path: Path) -> Spools:
    opened = ledger.open()
    migrations.migrate(opened, ["ciranda.monitor"])
    return Spools(tmp_path / "predictions", opened, Store(tmp_path / "store"), tmp_path / "store")


def requests(spools: Spools) -> list[str]:
    table = reading.rows(spools.database, spools.store, PLACE, 0)
    return sorted(table["request_id"].to_list()) if table.width else []


def test_what_was_predicted_is_a_table_with_a_row_each(spools: Spools) -> None:
    spools.predict(
        [("a", {"carrier": "AA", "row": 3, "tags": [1]}, 7.5), ("b", [{"carrier": None}, {"carrier": "UA"}], [1, 2])]
    )
    spools.predict([("c", {"carrier": "AA"}, {"price": 2, "kind": "x"})], "r2")
    assert spools.collector().look() == 4
    table = reading.rows(spools.database, spools.store, PLACE, 0)
    assert table.sort("request_id", "row").select(
        "request_id", "row", "carrier", "input.row", "tags", "prediction", "prediction.price", "release"
    ).rows() == [
        ("a", 0, "AA", 3, "[1]", 7.5, None, "r1"), ("b", 0, None, None, None, 1.0, None, "r1"),
        ("b", 1, "UA", None, None, 2.0, None, "r1"), ("c", 0, "AA", None, None, None, 2, "r2"),
    ]  # fmt: skip
    assert list(spools.folder.iterdir()) == []
    assert [(one.release, one.row_count) for one in batches.kept(spools.database, "flights")] == [("r1", 3), ("r2", 1)]
    assert spools.collector().look() == 0


@pytest.mark.parametrize("point", ["predictions.stored", "predictions.recorded", "ledger.committed"])
def test_a_collector_that_is_killed_loses_nothing_and_takes_nothing_twice(
    spools: Spools, ledger: Ledger, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        spools.predict([(name, {"x": 1}, 1)])
    assert spools.collect_and_die(ledger.url, ledger.sockets, point) == -9
    collector = spools.collector()
    collector.look()
    assert requests(spools) == ["a", "b"]
    assert list(spools.folder.iterdir()) == []
    spools.predict([("c", {"x": 1}, 1)])
    collector.look()
    assert requests(spools) == ["a", "b", "c"]
    collector = spools.collector()
    assert len(spools.database.query(collecting.sql.segments, **asdict(PLACE))) == 3
    monkeypatch.setattr(collecting, "TAKEN_US", -1)
    collector.look()
    assert spools.database.query(collecting.sql.segments, **asdict(PLACE)) == []


def test_a_segment_that_is_being_written_is_left_alone(spools: Spools) -> None:
    spools.predict([("a", {"x": 1}, 1)])
    (path,) = spools.folder.glob("*.seg")
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert spools.collector().look() == 0
    assert spools.collector().look() == 1


def test_garbage_in_a_spool_is_taken_away_and_hurts_nobody(spools: Spools, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("token")
    spools.predict([("a", {"x": 1}, 1), ("b", {"x": 2}, 2)])
    (good,) = spools.folder.glob("*.seg")
    torn = good.read_bytes()[:-3]
    for number, data in enumerate([b"", b"junk" * 100, os.urandom(500), torn]):
        (spools.folder / f"{number:016d}-{number:032x}.seg").write_bytes(data)
    (spools.folder / f"{9:016d}-{9:032x}.seg").symlink_to(secret)
    os.mkfifo(spools.folder / f"{8:016d}-{8:032x}.seg")
    (spools.folder / f"{7:016d}-{7:032x}.seg").mkdir()
    (spools.folder / "notes.txt").write_text("kept")
    spools.collector().look()
    assert requests(spools) == ["a", "a", "b"]  # of the torn one the whole frames
    assert secret.read_text() == "token"
    left = sorted(path.name for path in spools.folder.iterdir() if path.is_file() or path.is_fifo())
    assert left == ["notes.txt"]
    spools.collector().look()
    assert requests(spools) == ["a", "a", "b"]


def test_truth_that_comes_early_late_twice_or_for_nobody_is_joined_once(spools: Spools) -> None:
    spools.tell([{"request_id": "a", "truth": 1}, {"request_id": "nobody", "truth": 5}])
    spools.collector().look()
    spools.predict([("a", {"x": 1}, 4.0), ("b", [{"x": 1}, {"x": 2}], [1.0, 2.0]), ("c", {"x": 1}, 9.0)])
    spools.collector().look()
    spools.tell([{"request_id": "a", "truth": 2}, {"request_id": "b", "row": 1, "truth": 4, "rating": 3}])
    spools.tell([{"request_id": "c", "truth": "junk"}])
    spools.collector().look()
    table = reading.rows(spools.database, spools.store, PLACE, 0)
    (found,) = reading.measured(table, reading.feedback(spools.database, spools.store, PLACE))
    assert (found.rows, found.figures.pairs, found.figures.mae, found.figures.bias) == (4, 2, 2.0, 0.0)
    assert found.figures.rating == 3.0
    known = reading.request(spools.database, spools.store, PLACE, "a", clock.now_us())
    assert [row["prediction"] for row in known.rows] == [4.0]
    assert sorted(str(row["truth"]) for row in known.said) == ["1", "2"]


def test_many_small_batches_become_one_and_time_ends_what_is_kept(spools: Spools) -> None:
    collector = spools.collector()
    for number in range(compacting.FEW + 1):
        spools.predict([(f"{number:03d}", {"x": number, f"only{number % 2}": 1}, 1)])
        collector.look()
    wanted = requests(spools)
    later = clock.now_us() + 2 * compacting.AGE_US
    assert compacting.compact(spools.database, spools.store, clock.now_us()) == 0
    assert compacting.compact(spools.database, spools.store, later) == compacting.FEW + 1
    assert requests(spools) == wanted
    assert len(batches.of_service(spools.database, PLACE)) == 1
    assert batches.expire(spools.database, clock.now_us()) == 0
    assert batches.expire(spools.database, clock.now_us() + 31 * batches.DAY_US) == 1
    assert requests(spools) == []


def test_what_was_dropped_is_told_even_where_nothing_was_kept(spools: Spools) -> None:
    spools.predict([("a", {"x": 1}, "x" * (1 << 20))])
    spools.collector().look()
    (found,) = batches.kept(spools.database, "flights")
    assert (found.row_count, found.dropped) == (0, 1)


def test_two_collectors_at_once_take_each_segment_once(spools: Spools, monkeypatch: pytest.MonkeyPatch) -> None:
    spools.predict([("a", {"x": 1}, 1)])
    first, second = spools.collector(), spools.collector()
    put = spools.store.put

    def late(data: bytes) -> str:
        monkeypatch.undo()
        second.look()
        return put(data)

    monkeypatch.setattr(spools.store, "put", late)
    with pytest.raises(errors.Fenced):
        first.look()
    assert requests(spools) == ["a"]


def test_names_like_patterns_are_names_where_types_differ(spools: Spools) -> None:
    spools.predict([("a", {"^.*$": 1, "*": "x", "carrier": "AA"}, 1)])
    spools.collector().look()
    spools.predict([("b", {"^.*$": "one", "*": 2, "carrier": "UA"}, 2)])
    spools.collector().look()
    table = reading.rows(spools.database, spools.store, PLACE, 0).sort("request_id")
    assert table.select(pl.selectors.by_name("^.*$", "*", "carrier", "prediction")).rows() == [
        ("1", "x", "AA", 1), ("one", "2", "UA", 2),
    ]  # fmt: skip
