"""From counters to an alert: sampled, measured, told, acknowledged, silenced; over a real ledger and store, under a simulated clock."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.app import alerts, sampling
from ciranda.app.views import alerts as alert_views
from ciranda.app.views import figures
from ciranda.app.views.pages import figures as figure_pages
from ciranda.kernel import clock, errors, events
from ciranda.monitor.series.levels import HOUR, SECOND
from ciranda.service import counters
from ciranda.web.pages import curves
from support import pages
from support.pages import PROJECT, Filled


class Loop:
    """What control does by the clock, in production of a filled home, at moments of our own."""

    def __init__(self, filled: Filled) -> None:
        self.filled = filled
        self.now = clock.now_us() - HOUR
        self.sampling = sampling.Sampling(filled.home, filled.database, list, lambda: self.now)
        self.alerts = alerts.Alerts(
            filled.database, filled.store, lambda: sampling.of_home(filled.home), lambda: self.now
        )
        self.counters = counters.Counters(filled.home.state / "counters")
        self.slot = self.counters.slot(f"/{PROJECT}/prod/delays", "r1", ())

    def go(self, looks: int, *, good: int = 20, bad: int = 0) -> None:
        for _ in range(looks):
            for at in range(good):
                self.counters.count(self.slot, 200, 8000 + at * 100)
            for _ in range(bad):
                self.counters.count(self.slot, 500, 8000)
            self.now += 10 * SECOND
            self.sampling.look()
            self.alerts.look()

    def told(self) -> list[events.Event]:
        return [one for one in events.after(self.filled.database, 0) if one.kind.startswith("alert.")]


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    with pages.filled(tmp_path / "home") as filled:
        filled.land(1, "Begin")
        filled.route("r1")
        made = Loop(filled)
        try:
            yield made
        finally:
            made.sampling.close()
            made.counters.close()


def test_errors_fire_are_acknowledged_and_are_over(loop: Loop) -> None:
    loop.go(8)
    assert loop.told() == []
    loop.go(25, bad=3)
    (fired,) = loop.told()
    assert (fired.kind, fired.chain, fired.subject) == ("alert.fired", PROJECT, f"{PROJECT}/prod")
    body = fired.body
    assert (body["rule"], body["service"], body["release"], body["severity"]) == ("errors", "delays", "r1", "page")
    assert (body["metric"], body["group"]) == ("errors", f"{PROJECT}/prod/delays")
    assert body["since_us"] <= loop.now - 120 * SECOND
    loop.alerts.acknowledge(PROJECT, "errors", note="looking", actor="ada")
    (shown,) = alert_views.gather(loop.filled.database, PROJECT).groups[f"{PROJECT}/prod/delays"]
    assert (shown.acked_by, shown.note, shown.state) == ("ada", "looking", "firing")
    loop.go(45)
    assert [one.kind for one in loop.told()] == ["alert.fired", "alert.acknowledged", "alert.resolved"]
    assert alert_views.gather(loop.filled.database, PROJECT).groups == {}
    with pytest.raises(errors.NotFound, match="no alert errors"):
        loop.alerts.acknowledge(PROJECT, "errors", note="", actor="ada")


def test_a_second_control_goes_on_where_the_first_was_killed(loop: Loop) -> None:
    loop.go(20, bad=3)
    loop.sampling.close()
    again = Loop.__new__(Loop)
    again.__dict__ |= loop.__dict__
    again.sampling = sampling.Sampling(loop.filled.home, loop.filled.database, list, lambda: again.now)
    again.alerts = alerts.Alerts(
        loop.filled.database, loop.filled.store, lambda: sampling.of_home(loop.filled.home), lambda: again.now
    )
    again.go(12, bad=3)
    assert [one.kind for one in again.told()] == ["alert.fired"]
    again.sampling.close()


def test_what_is_silenced_is_not_told_and_a_silence_says_why(loop: Loop) -> None:
    loop.alerts.silence(PROJECT, environment="", rule="", service="delays", length="2 h", reason="moving", actor="ada")
    with pytest.raises(errors.Invalid, match="reason"):
        loop.alerts.silence(PROJECT, environment="", rule="errors", service="", length="2 h", reason=" ", actor="ada")
    with pytest.raises(errors.Invalid, match="at most 30 days"):
        loop.alerts.silence(PROJECT, environment="", rule="errors", service="", length="31 d", reason="x", actor="ada")
    loop.now = clock.now_us()
    loop.go(25, bad=3)
    assert [one.kind for one in loop.told()] == ["alert.silenced"]
    loop.alerts.unsilence(PROJECT, "delays", actor="ada")
    loop.now += SECOND
    loop.go(1, bad=3)
    assert [one.kind for one in loop.told()] == ["alert.silenced", "alert.unsilenced", "alert.fired"]


def test_figures_and_models_are_shown_as_they_were(loop: Loop) -> None:
    loop.go(40, bad=1)
    reading = sampling.of_home(loop.filled.home)
    told = figures.gather(loop.filled.database, reading, PROJECT, "prod", "delays", since_us=HOUR, now_us=loop.now)
    (service,) = told.services
    by = {one.name: one for one in service.figures}
    assert by["errors"].whole == pytest.approx(1 / 21, rel=0.05)
    assert by["rate"].whole == pytest.approx(2.1, rel=0.2)
    assert 0.008 < (by["p99"].whole or 0) < 0.012
    assert told.document()["services"][0]["figures"][0]["unit"] == "requests a second"
    with pytest.raises(errors.NotFound, match="has no service delay"):
        figures.gather(loop.filled.database, reading, PROJECT, "prod", "delay", since_us=HOUR, now_us=loop.now)
    page = figure_pages.gather(loop.filled.database, reading, PROJECT, "delays", "", "24h")
    assert [row.figure.name for row in page.rows][:2] == ["rate", "errors"]
    assert ("delay", "auc") in {(one.asset, one.name) for one in page.models}
    rules = {one.rule: one.found.outcome for one in alert_views.watched(
        loop.filled.database, loop.filled.store, reading, PROJECT
    )}  # fmt: skip
    assert rules["latency"] == "no data"  # there is no week yet


def test_a_curve_is_broken_where_nothing_is_known() -> None:
    curve = curves.draw([1.0, 2.0, None, 4.0, None, 3.0, 2.0], list(range(7)), 6)
    assert curve is not None
    assert (curve.top, len(curve.lines), len(curve.dots), curve.change) == (5.0, 2, 1, "600.0")
    assert curves.draw([None, None]) is None
    assert curves.draw([0.0, 0.0]) is not None
