"""When a drift begins, goes on and is over: decided from looks alone."""

from ciranda.monitor.drift.found import DISTRIBUTION, RANGE, Column, Comparison, Finding, Measure
from ciranda.monitor.drift.profile import Profile
from ciranda.monitor.predictions.batches import Batch
from ciranda.monitor.windows import episodes, spans
from ciranda.monitor.windows.episodes import Episode, Look

HOUR = spans.HOUR_US


def finding(column: str, check: str = DISTRIBUTION) -> Finding:
    return Finding(column, check, "psi", 0.7, 0.1, 1000, f"{column} is other ({check})")


def look(span: str = spans.ROWS, inconclusive: str | None = None, **columns: str) -> Look:
    """A window whose columns have these states; of one that drifted there are two findings."""
    measure = Measure("psi", 0.7, 0.1, 0.1, 0.0)
    told = tuple(
        Column(
            name,
            "number",
            state,  # type: ignore[arg-type]
            () if state == "unsure" else (measure,),
            (finding(name, RANGE), finding(name)) if state == "drifted" else (),
        )
        for name, state in columns.items()
    )
    return Look(
        span, "training", "r2", "rides", 10, 20, Comparison(1000, 5000, told, inconclusive), Profile(1000, ()), ""
    )


def episode(column: str, span: str = spans.ROWS) -> Episode:
    named = {"check_name": DISTRIBUTION, "measure": "psi", "value": 0.5, "floor": 0.1, "row_count": 1000}
    return Episode(
        f"id of {column}", "bikes", "prod", "demand", column, "r1", span, "training", reference="rides", text="",
        since_us=1, found_us=2, seen_us=3, **named,
    )  # type: ignore[arg-type] # fmt: skip


def test_a_column_begins_once_with_what_its_distribution_says() -> None:
    decided = episodes.decide([], [look(temp="drifted", rain="same"), look(spans.HOUR, temp="drifted", rain="drifted")])
    assert [(seen.span, found.column, found.check) for seen, found in decided.begin] == [
        (spans.ROWS, "temp", DISTRIBUTION), (spans.HOUR, "rain", DISTRIBUTION),
    ]  # fmt: skip
    assert not decided.end
    again = episodes.decide([episode("temp")], [look(temp="drifted")])
    assert not again.begin
    assert [one.column_name for one, _, _ in again.see] == ["temp"]


def test_it_is_over_when_the_window_that_found_it_says_the_same() -> None:
    assert episodes.decide([episode("temp")], [look(temp="same")]).end == (episode("temp"),)
    both = [look(temp="same"), look(spans.HOUR, temp="drifted")]
    decided = episodes.decide([episode("temp")], both)
    assert (decided.end, decided.begin, decided.see) == ((episode("temp"),), (), ())
    assert not episodes.decide([], both, {"temp": 11}).begin  # the hour still holds what is over
    assert episodes.decide([], both, {"temp": 10}).begin
    assert not episodes.decide([episode("temp", spans.HOUR)], [look(temp="same"), look(spans.HOUR, temp="unsure")]).end
    assert episodes.decide([episode("temp", spans.DAY)], [look(temp="same")]).end  # nobody makes that window any more


def test_what_cannot_be_told_ends_nothing() -> None:
    assert not episodes.decide([episode("temp")], [look(temp="unsure")]).end
    assert not episodes.decide([episode("temp")], [look(rain="same")]).end
    assert not episodes.decide([episode("temp")], []).end


def batch(number: int, rows: int, at_us: int) -> Batch:
    return Batch(
        str(number), "predictions", "b", "p", "d", "r1", at_us - 5, at_us, rows, 0, "b3:00", "", at_us, 1 << 60
    )


def test_windows_are_the_newest_rows_the_last_hour_and_the_last_day() -> None:
    now = 100 * HOUR
    held = [batch(number, 400, now - age * HOUR // 2) for number, age in enumerate((60, 20, 3, 1, 0))]
    found = {one.name: [each.id for each in one.batches] for one in spans.of(held[1:], now)}
    assert found == {spans.ROWS: ["2", "3", "4"], spans.HOUR: ["3", "4"], spans.DAY: ["1", "2", "3", "4"]}
    (rows,) = spans.of([batch(1, 1500, now)], now)
    assert (rows.name, rows.row_count, rows.from_us, rows.until_us) == (spans.ROWS, 1500, now - 5, now)
    assert [one.name for one in spans.of([batch(1, 50, now)], now)] == [spans.HOUR]
    assert spans.of([], now) == []
