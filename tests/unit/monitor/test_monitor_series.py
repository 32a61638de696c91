"""The store of samples: what is written is read again at every resolution, whatever happens to the file."""

import math
import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.monitor.series import courses, folding, levels, steps, store
from ciranda.monitor.series.levels import DAY, HOUR, MINUTE, SECOND
from ciranda.monitor.series.samples import LATENCY, Sample

BEGAN = 1_700_006_400 * SECOND  # a midnight UTC
LABELS = {"project": "flights", "environment": "prod", "service": "delays", "release": "r1"}


def steady(kept: store.Store, hours: float, metric: str = "requests", each: float = 3.0, began: int = BEGAN) -> int:
    """A counter that grows by `each` every ten seconds; returns the moment after its last sample."""
    count = int(hours * 360)
    for number in range(0, count, 60):
        for at in range(number, min(number + 60, count)):
            kept.write([Sample(metric, LABELS, began + at * 10 * SECOND, at * each)])
    return began + count * 10 * SECOND


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[store.Store, int]:
    kept = store.Store(tmp_path_factory.mktemp("metrics"))
    count = 360 * 13
    samples = [
        [
            Sample("requests", LABELS, at, number * 3.0),
            Sample("memory_bytes", {**LABELS, "instance": "i1"}, at, 100.0 + number % 6),
            Sample("in_flight", LABELS, at, number % 60),
        ]
        for number, at in ((number, BEGAN + number * 10 * SECOND) for number in range(count))
    ]
    for tick in samples:
        kept._pending.append(tick)
        if len(kept._pending) == 60:
            kept.write([])
    kept.write([])
    return kept, BEGAN + count * 10 * SECOND


@pytest.mark.parametrize("step", [10 * SECOND, MINUTE, 10 * MINUTE, HOUR])
def test_a_counter_has_the_same_rate_at_every_resolution(day: tuple[store.Store, int], step: int) -> None:
    kept, end = day
    (line,) = kept.read("requests", LABELS, end - 6 * HOUR, end, step, "rate")
    assert line.labels == LABELS
    assert [at for at, _ in line.points] == list(range((end - 6 * HOUR) // step * step, end, step))
    assert line.known[1:-1] == pytest.approx([0.3] * (len(line.known) - 2), rel=0.1)


@pytest.mark.parametrize("step", [10 * SECOND, MINUTE, 10 * MINUTE, HOUR])
def test_what_a_counter_grew_is_all_there(day: tuple[store.Store, int], step: int) -> None:
    kept, end = day
    (line,) = kept.read("requests", LABELS, BEGAN, end, step, "sum")
    assert math.fsum(line.known) == pytest.approx(3.0 * (360 * 13 - 1), abs=3.5)


def test_a_gauge_has_its_mean_least_most_and_last(day: tuple[store.Store, int]) -> None:
    kept, end = day
    for step in (MINUTE, 10 * MINUTE, HOUR):
        told = {
            how: kept.read("in_flight", LABELS, end - 3 * HOUR, end - HOUR, step, how)[0].known  # type: ignore[arg-type]
            for how in ("mean", "min", "max", "last", "sum")
        }
        several = step >= 10 * MINUTE
        assert told["mean"][0] == pytest.approx(29.5 if several else 2.5)
        assert told["min"][0] == 0
        assert told["max"][0] == (59 if several else 5)
        assert told["last"][0] == (59 if several else 5)
        assert told["sum"][0] == pytest.approx(told["mean"][0] * step / (10 * SECOND))


def test_series_of_an_instance_are_kept_at_two_resolutions(day: tuple[store.Store, int]) -> None:
    kept, _ = day
    with sqlite3.connect(kept._path) as connection:
        found = connection.execute(
            "SELECT DISTINCT level FROM chunk JOIN series ON series.id = chunk.series WHERE metric = 'memory_bytes'"
        ).fetchall()
    connection.close()
    assert sorted(level for (level,) in found) == [0, 1]


def test_labels_choose_series_and_names_are_listed(day: tuple[store.Store, int]) -> None:
    kept, end = day
    assert kept.metrics({"project": "flights"}) == ["in_flight", "memory_bytes", "requests"]
    assert kept.metrics({"project": "other"}) == []
    assert kept.read("requests", {"release": "r2"}, BEGAN, end, HOUR, "rate") == []
    assert kept.read("requests", {"instance": "i1"}, BEGAN, end, HOUR, "rate") == []
    assert len(kept.read("memory_bytes", {"instance": "i1"}, BEGAN, end, HOUR, "max")) == 1


def test_a_finer_step_than_is_kept_is_made_as_coarse() -> None:
    assert levels.fitting(BEGAN, BEGAN + HOUR, SECOND).number == 0
    assert levels.fitting(BEGAN, BEGAN + 3 * DAY, SECOND).number == 1
    assert levels.fitting(BEGAN, BEGAN + 30 * DAY, MINUTE).number == 2
    assert levels.fitting(BEGAN, BEGAN + 30 * DAY, 2 * HOUR).number == 3
    assert levels.fitting(BEGAN, BEGAN + 900 * DAY, MINUTE).number == 3


def test_another_process_reads_and_the_next_writer_goes_on(tmp_path: Path) -> None:
    first = store.Store(tmp_path)
    end = steady(first, 0.5)
    assert math.fsum(store.Store(tmp_path).read("requests", {}, BEGAN, end, MINUTE, "sum")[0].known) == 3 * 179
    with pytest.raises(errors.Refused, match="another process"):
        store.Store(tmp_path).write([Sample("requests", LABELS, end, 1.0)])
    first.close()
    second = store.Store(tmp_path)
    second.write([Sample("requests", LABELS, end, 180 * 3.0)])
    second.close()
    assert math.fsum(second.read("requests", {}, BEGAN, end + 1, MINUTE, "sum")[0].known) == pytest.approx(
        3 * 180, abs=0.1
    )


def test_reading_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    kept = store.Store(tmp_path / "metrics")
    assert kept.read("requests", {}, 0, HOUR, MINUTE, "rate") == []
    assert kept.metrics({}) == []
    assert not (tmp_path / "metrics").exists()


@pytest.mark.parametrize("torn", [b"", b"not a database at all, " * 400, None])
def test_a_file_that_cannot_be_read_is_set_aside(tmp_path: Path, torn: bytes | None) -> None:
    kept = store.Store(tmp_path)
    end = steady(kept, 0.5)
    kept.close()
    path = tmp_path / store.FILE
    path.write_bytes(path.read_bytes()[:5000] if torn is None else torn)
    again = store.Store(tmp_path)
    assert again.read("requests", {}, BEGAN, end, MINUTE, "rate") == []
    with suppress(errors.Corrupt):  # it is said once
        again.write([Sample("requests", LABELS, end, 1.0)])
    again.write([Sample("requests", LABELS, end + 10 * SECOND, 7.0)])
    (line,) = again.read("requests", {}, end, end + MINUTE, 10 * SECOND, "last")
    assert line.known[-1] == 7.0
    again.close()


def test_a_chunk_that_cannot_be_read_is_a_gap(tmp_path: Path) -> None:
    kept = store.Store(tmp_path)
    end = steady(kept, 1.5)
    kept.close()
    with sqlite3.connect(tmp_path / store.FILE) as connection:
        connection.execute("UPDATE chunk SET data = x'0011' WHERE began_us = (SELECT min(began_us) FROM chunk)")
        connection.execute("UPDATE tick SET data = x'00'")
    connection.close()
    known = kept.read("requests", {}, BEGAN, end, 10 * SECOND, "rate")
    assert 0 < len(known[0].known) < 360 * 1.5
    steady(kept, 0.5, began=end)
    kept.close()


def test_what_could_not_be_written_is_written_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = store.Store(tmp_path)
    steady(kept, 0.1)
    connection = kept._connected()
    connection.execute(f"PRAGMA max_page_count = {connection.execute('PRAGMA page_count').fetchone()[0]}").fetchall()
    many = [Sample(f"m{number}", LABELS, BEGAN + HOUR, float(number)) for number in range(2000)]
    with pytest.raises(errors.StorageFull):
        kept.write(many)
    assert len(kept.read("requests", {}, BEGAN, BEGAN + HOUR, MINUTE, "last")) == 1
    kept.write([Sample("requests", LABELS, BEGAN + HOUR, 5.0)])  # there is room again: a new connection
    assert len(kept.metrics({})) == 2001
    kept.close()


def test_what_is_too_old_goes(tmp_path: Path) -> None:
    kept = store.Store(tmp_path)
    steady(kept, 1)
    kept.write([Sample("requests", LABELS, BEGAN + 3 * DAY, 5000.0)])
    kept.write([Sample("requests", LABELS, BEGAN + 3 * DAY + HOUR, 5001.0)])
    connection = kept._connected()
    assert connection.execute(
        "SELECT count(*) FROM chunk WHERE level = 0 AND began_us < ?", (BEGAN + DAY,)
    ).fetchone() == (0,)
    assert connection.execute(
        "SELECT count(*) FROM chunk WHERE level = 1 AND began_us < ?", (BEGAN + DAY,)
    ).fetchone() == (1,)
    kept.write([Sample("other", LABELS, BEGAN + 900 * DAY, 1.0)])
    kept.write([Sample("other", LABELS, BEGAN + 900 * DAY + HOUR, 1.0)])
    assert kept.metrics({}) == ["other"]
    kept.close()


def test_no_number_is_no_sample_and_labels_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_SERIES", 3)
    kept = store.Store(tmp_path)
    kept.write([Sample("a", {}, BEGAN, math.nan), Sample("a", {}, BEGAN, math.inf)])
    kept.write([Sample("a", {"n": str(number)}, BEGAN, 1.0) for number in range(5)])
    assert kept.dropped == 4
    assert len(kept.read("a", {}, BEGAN, BEGAN + MINUTE, MINUTE, "last")) == 3
    kept.close()


def test_a_counter_that_begins_anew_and_a_clock_that_goes_back() -> None:
    grid = steps.grid(0, 60 * SECOND, 10 * SECOND)
    times = [at * 10 * SECOND for at in range(7)]
    grown = steps.growth(times, [100, 110, 5, 8, 7.9, 10, 20], grid, a_second=False)
    assert [value for _, value in grown] == [10, 5, 3, 0, pytest.approx(2.1), 10]


def test_nothing_is_said_of_a_gap() -> None:
    grid = steps.grid(0, HOUR, 10 * MINUTE)
    points = steps.growth([0, MINUTE, 50 * MINUTE, 51 * MINUTE], [0, 6, 9000, 9060], grid)
    assert points == (
        (0, pytest.approx(0.1)),
        *((at * 10 * MINUTE, None) for at in range(1, 5)),
        (50 * MINUTE, pytest.approx(1.0)),
    )


@pytest.mark.parametrize("times", [[0, 10_000, 30_000], [5_000_000, 5_010_000]])
def test_a_chunk_is_read_as_it_was_packed(times: list[int]) -> None:
    values = [1.5, -2.0, 1e300][: len(times)]
    assert levels.unpack_full(0, levels.pack_full(0, times, values)) == (times, pytest.approx(values))
    ids = folding.array("I", range(len(times)))
    told = folding.unpack_tick(folding.pack_tick(ids, times, folding.array("d", values)))
    assert [list(column) for column in told] == [list(ids), times, values]
    assert folding.unpack_tick(b"garbage")[1] == []


def test_quantiles_come_of_buckets() -> None:
    bounds, counts = [1000, 2000, 4000], [0.0, 50.0, 100.0]
    assert courses.quantile(bounds, counts, 100.0, 0.5) == pytest.approx(0.002)
    assert courses.quantile(bounds, counts, 100.0, 0.75) == pytest.approx(0.002 * math.sqrt(2))
    assert courses.quantile(bounds, counts, 200.0, 0.9) == pytest.approx(0.004)
    assert courses.quantile(bounds, counts, 0.0, 0.9) is None
    whole = courses.Whole(100.0, 1.0, dict(zip(bounds, counts, strict=True)), 60.0)
    assert whole.slower(0.003) == pytest.approx(0.25)
    assert whole.slower(0.1) == pytest.approx(0.0)
    assert whole.share == 0.01


def test_releases_of_a_service_are_added_up(tmp_path: Path) -> None:
    kept = store.Store(tmp_path)
    for at in range(30):
        kept.write(
            Sample(metric, {**LABELS, "release": release}, BEGAN + at * 10 * SECOND, at * each)
            for release, share in (("r1", 9), ("r2", 1))
            for metric, each in (
                ("requests", share),
                ("errors", share / 10),
                (f"{LATENCY}8000", share),
                (f"{LATENCY}4000", 0),
            )
        )
    end = BEGAN + 300 * SECOND
    by = courses.grown(kept, {"project": "flights"}, BEGAN, end)
    assert [(one.service, one.release) for one in by] == [("delays", "r1"), ("delays", "r2")]
    (together,) = courses.together(by)
    whole = together.whole
    assert whole is not None
    assert (whole.requests * whole.seconds, whole.share) == (pytest.approx(290), pytest.approx(0.1))
    assert 0.004 < (whole.quantile(0.5) or 0) < 0.008
    kept.close()
