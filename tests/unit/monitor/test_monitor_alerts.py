"""Rules and objectives are measured on planted series; what becomes of an alert is decided purely."""

from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.app import alertmanager
from ciranda.kernel import errors
from ciranda.monitor.alerts import burn, measure, rules, states
from ciranda.monitor.alerts.measure import Facts, Found
from ciranda.monitor.alerts.states import Alert, Silence, Told
from ciranda.monitor.series import store
from ciranda.monitor.series.levels import DAY, HOUR, MINUTE, SECOND
from ciranda.monitor.series.samples import LATENCY, Sample
from ciranda.project import conditions
from ciranda.release import manifest

BEGAN = 1_700_006_400 * SECOND
TOLD = Told(60.0, "page", "@data", "docs/errors.md")
LIVE = Facts(wanted={"delays": 2}, live="r1")
BOUNDS = (4_000, 8_000, 16_000, 32_000, 1_024_000)


class Traffic:
    """A service with planted requests, errors and times, sampled every `every` µs."""

    def __init__(self, folder: Path, release: str = "r1") -> None:
        self.store = store.Store(folder)
        self.now = BEGAN
        self.release = release
        self.counts = [0.0] * (2 + len(BOUNDS))

    def go(
        self, length: int, *, rate: float = 10.0, share: float = 0.0, took: int = 8_000, every: int = 10 * SECOND
    ) -> None:
        labels = {"project": "flights", "environment": "prod", "service": "delays", "release": self.release}
        end = self.now + length
        while self.now < end:
            self.now += every
            more = rate * every / SECOND
            self.counts[0] += more
            self.counts[1] += more * share
            for at, bound in enumerate(BOUNDS):
                self.counts[2 + at] += more if bound >= took else 0
            named = ("requests", "errors", *(f"{LATENCY}{bound}" for bound in BOUNDS))
            tick = [Sample(name, labels, self.now, count) for name, count in zip(named, self.counts, strict=True)]
            self.store._pending.append([*tick, Sample("instances_healthy", labels, self.now, 2.0)])
            if len(self.store._pending) >= 100:
                self.store.write([])
        self.store.write([])

    def measure(self, when: str, facts: Facts = LIVE) -> list[Found]:
        rule = rules.Rule("it", conditions.parse(when), when, 0.0, "page")
        return measure.Measuring(self.store).measure(rule, WATCHED, facts, self.now)


WATCHED = rules.Watched("flights", "prod", (), {}, {"delays": "@data"})


@pytest.fixture
def traffic(tmp_path: Path) -> Traffic:
    return Traffic(tmp_path)


def test_errors_are_a_share_of_what_was_asked(traffic: Traffic) -> None:
    traffic.go(20 * MINUTE)
    traffic.go(10 * MINUTE, share=0.08)
    (found,) = traffic.measure("errors over 5 min > 5 %")
    assert (found.outcome, found.service, found.release) == ("over", "delays", "r1")
    assert found.value == pytest.approx(0.08)
    assert found.text == "errors of delays: 8 % over 5 min, more than 5 %"
    assert traffic.measure("errors > 9 %")[0].outcome == "under"


def test_no_data_is_neither_a_pass_nor_zero(traffic: Traffic) -> None:
    assert [one.outcome for one in traffic.measure("errors > 5 %")] == ["no data"]
    traffic.go(10 * MINUTE, rate=0.0)
    assert [one.outcome for one in traffic.measure("errors > 5 %")] == ["no data"]
    assert [(one.outcome, one.value) for one in traffic.measure("rate < 1 /s")] == [("over", 0.0)]
    traffic.now += HOUR
    assert [one.outcome for one in traffic.measure("rate < 1 /s")] == ["no data"]
    assert [one.outcome for one in traffic.measure("healthy < 1")] == ["no data"]
    assert [one.outcome for one in traffic.measure("memory > 1 GB")] == ["no data"]
    assert [one.outcome for one in traffic.measure("model.auc < 0.7")] == ["no data"]


def test_one_error_at_night_is_no_share(traffic: Traffic) -> None:
    traffic.go(10 * MINUTE, rate=0.005, share=1.0)
    assert traffic.measure("errors > 5 %")[0].outcome == "under"


def test_latency_is_compared_with_its_own_week(traffic: Traffic) -> None:
    traffic.go(DAY // 2, took=8_000, every=5 * MINUTE)
    assert traffic.measure("p99 over 15 min > 2 x week")[0].outcome == "no data"  # half a day is no week
    traffic.go(2 * DAY, took=8_000, every=5 * MINUTE)
    assert traffic.measure("p99 over 15 min > 2 x week")[0].outcome == "under"
    traffic.go(20 * MINUTE, took=32_000)
    (found,) = traffic.measure("p99 over 15 min > 2 x week")
    assert found.outcome == "over"
    assert "2 times its week, 7.9" in found.text


def test_facts_of_the_ledger_are_measured_too(traffic: Traffic) -> None:
    facts = Facts(
        ("nightly",), ("weekly",), True, {"delays": ((0, "age"), (traffic.now, "month"))}, {"delays": 1}, "r1"
    )
    assert [(one.part, one.outcome) for one in traffic.measure("failed_jobs > 0", facts)] == [("nightly", "over")]
    assert [(one.part, one.outcome) for one in traffic.measure("late_jobs > 0", facts)] == [("weekly", "over")]
    assert traffic.measure("drift over 24 h > 0", facts)[0].text == "drift of delays: month"
    assert traffic.measure("drift over 24 h > 0")[0].outcome == "under"


OBJECTIVE = manifest.Objective("delays", 0.999, 0.99, 0.02, 30 * 86_400.0, ("prod",), "@data", "")


def burning(traffic: Traffic) -> dict[str, Found]:
    watched = replace(WATCHED, objectives={"delays": OBJECTIVE})
    return {one.rule: one for one, _, _ in burn.measure(traffic.store, watched, traffic.now)}


def test_a_budget_that_burns_fast_is_a_page_and_slower_rules_stand_behind(traffic: Traffic) -> None:
    traffic.go(5 * HOUR, every=MINUTE)
    assert {one.outcome for one in burning(traffic).values()} == {"under"}
    traffic.go(HOUR, share=0.02)
    found = burning(traffic)
    fast = found["delays:availability:1h"]
    assert (fast.outcome, fast.behind, fast.part) == ("over", False, "r1")
    assert fast.value == pytest.approx(20, rel=0.05)
    assert found["delays:availability:3d"].behind
    assert found["delays:latency:1h"].outcome == "under"
    traffic.go(10 * MINUTE)  # the short window ends the alert soon after its cause
    assert burning(traffic)["delays:availability:1h"].outcome == "under"


def test_slow_answers_burn_too_and_silence_of_a_service_is_no_data(traffic: Traffic) -> None:
    assert {one.outcome for one in burning(traffic).values()} == {"no data"}
    traffic.go(2 * HOUR, took=1_000_000, every=MINUTE)
    assert burning(traffic)["delays:latency:1h"].outcome == "over"
    traffic.go(7 * HOUR, rate=0.0, every=MINUTE)
    assert burning(traffic)["delays:latency:1h"].outcome == "no data"


def look(
    found: Found, open_: list[Alert], now: int, silences: tuple[Silence, ...] = ()
) -> tuple[list[Alert], list[str]]:
    """The open alerts after one look, and the events it recorded."""
    acts = states.decide("flights", "prod", [(found, TOLD)], open_, silences, now)
    kept = {one.id: one for one in open_}
    for act in acts:
        if act.drop:
            del kept[act.alert.id]
        else:
            kept[act.alert.id] = act.alert
    return [one for one in kept.values() if one.state != "resolved"], [act.event for act in acts if act.event]


OVER = Found("errors", "errors", "over", "delays", "", "r2", 0.08, "8 %")
UNDER, UNKNOWN = replace(OVER, outcome="under", value=0.01), replace(OVER, outcome="no data", value=None)


def test_an_alert_waits_fires_and_is_over() -> None:
    open_, told = look(OVER, [], BEGAN)
    assert ([one.state for one in open_], told) == (["pending"], [])
    open_, told = look(OVER, open_, BEGAN + 59 * SECOND)
    assert told == []
    open_, told = look(OVER, open_, BEGAN + 60 * SECOND)
    assert ([one.state for one in open_], told) == (["firing"], ["alert.fired"])
    assert (open_[0].since_us, open_[0].severity, open_[0].owner, open_[0].release) == (BEGAN, "page", "@data", "r2")
    open_, told = look(OVER, open_, BEGAN + 75 * SECOND)
    assert told == []
    open_, told = look(UNDER, open_, BEGAN + 90 * SECOND)
    assert ([one.state for one in open_], told) == (["firing"], [])
    open_, told = look(UNDER, open_, BEGAN + 150 * SECOND)
    assert (open_, told) == ([], ["alert.resolved"])


def test_what_goes_up_and_down_is_one_alert() -> None:
    open_, _ = look(OVER, [], BEGAN)
    open_, _ = look(OVER, open_, BEGAN + 60 * SECOND)
    for at in range(1, 20):
        open_, told = look(UNDER if at % 2 else OVER, open_, BEGAN + (60 + 15 * at) * SECOND)
        assert ([one.state for one in open_], told) == (["firing"], [])


def test_without_data_an_alert_stays_what_it_was() -> None:
    open_, _ = look(OVER, [], BEGAN)
    waiting, told = look(UNKNOWN, open_, BEGAN + 5 * MINUTE)
    assert ([one.state for one in waiting], told) == (["pending"], [])
    assert look(UNKNOWN, open_, BEGAN + 20 * MINUTE) == ([], [])
    firing, _ = look(OVER, open_, BEGAN + 60 * SECOND)
    assert look(UNKNOWN, firing, BEGAN + DAY) == (firing, [])


def test_an_alert_whose_rule_is_gone_is_over() -> None:
    open_, _ = look(OVER, [], BEGAN)
    firing, _ = look(OVER, open_, BEGAN + MINUTE)
    acts = states.decide("flights", "prod", [], firing, (), BEGAN + HOUR)
    assert [(act.alert.state, act.event, bool(act.alert.reason)) for act in acts] == [
        ("resolved", "alert.resolved", True)
    ]
    unknown = replace(UNKNOWN, part="r9")
    assert states.decide("flights", "prod", [(unknown, TOLD)], firing, (), BEGAN + HOUR) == []  # not gone: not known


def test_a_silence_keeps_people_from_being_told_until_it_ends() -> None:
    silence = Silence("s", "flights", "", "errors", "", "why", "ada", BEGAN, BEGAN + HOUR)
    open_, _ = look(OVER, [], BEGAN)
    open_, told = look(OVER, open_, BEGAN + MINUTE, (silence,))
    assert ([one.state for one in open_], told) == (["firing"], [])
    open_, told = look(OVER, open_, BEGAN + 10 * MINUTE, (silence,))
    assert told == []
    ended, told = look(UNDER, open_, BEGAN + 11 * MINUTE, (silence,))
    assert look(UNDER, ended, BEGAN + 12 * MINUTE, (silence,)) == ([], [])
    open_, told = look(OVER, open_, BEGAN + HOUR, (silence,))
    assert told == ["alert.fired"]
    assert not replace(silence, service="web").fits(open_[0], BEGAN)
    assert replace(silence, rule="delays").fits(replace(open_[0], rule="delays:availability:1h"), BEGAN)


def test_what_stands_behind_another_is_not_told() -> None:
    assert look(replace(OVER, behind=True), [], BEGAN) == ([], [])


def call(status: str = "firing", **labels: str) -> dict[str, object]:
    told = {"alertname": "High", "project": "flights", "environment": "prod", "service": "delays", "severity": "page"}
    alert = {
        "status": status, "labels": told | labels, "annotations": {"summary": "many", "runbook_url": "https://r.example"},
        "startsAt": "2026-11-23T01:00:00.123456789Z", "endsAt": "0001-01-01T00:00:00Z", "fingerprint": "f",
    }  # fmt: skip
    return {"version": "4", "status": status, "alerts": [alert]}


def test_an_alertmanager_says_the_same_once() -> None:
    (heard,) = alertmanager.read(call(team="x"))
    assert (heard.rule, heard.project, heard.part, heard.severity) == ("High", "flights", "team=x", "page")
    (act,) = alertmanager.decide([heard], [], {}, BEGAN)
    assert (act.event, act.alert.source, act.alert.text, act.alert.runbook) == (
        "alert.fired", "alertmanager", "many", "https://r.example",
    )  # fmt: skip
    assert alertmanager.decide([heard], [act.alert], {}, BEGAN + MINUTE) == []
    (over,) = alertmanager.decide(alertmanager.read(call("resolved", team="x")), [act.alert], {}, BEGAN + HOUR)
    assert (over.event, over.alert.state) == ("alert.resolved", "resolved")
    assert alertmanager.decide(alertmanager.read(call("resolved")), [], {}, BEGAN) == []


@pytest.mark.parametrize(
    "payload", [{}, {"version": "3", "alerts": []}, {"version": "4", "alerts": {}}, {"version": "4", "alerts": [1]},
                {"version": "4", "alerts": [{"labels": {}, "status": "firing", "startsAt": "soon"}]}]
)  # fmt: skip
def test_what_is_no_call_of_an_alertmanager_is_refused(payload: dict[str, object]) -> None:
    with pytest.raises(errors.Invalid):
        alertmanager.read(payload)
