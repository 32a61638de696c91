"""Which events people are told of, how bad they are, whose they are, and in which words."""

import re
import string
from pathlib import Path

import pytest

from ciranda.feedback import facts, timeline, wording
from ciranda.feedback.incidents import Incident
from ciranda.project.declaration import Channel
from ciranda.project.notify import EVENTS, LANGUAGES
from support.feedback import NAMES, NOON, event, fact

EVENTS_PAGE = Path(__file__).parents[3] / "docs" / "events.md"
# What says nothing of how an environment came to fail: steps on a way whose end is told, work that was planned, and what is of
# no project.
NOT_IN_A_TIMELINE = {
    "change.asked", "change.recorded", "change.settled", "gate.decided", "home.backed-up", "home.collected", "item.added", "item.closed",
    "ref.written", "role.granted", "role.revoked", "run.finished", "token.created", "token.revoked", "user.added", "user.removed",
}  # fmt: skip


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_event_that_is_told_has_words_in_every_language() -> None:
    for language in LANGUAGES:
        assert set(EVENTS) <= set(wording.SENTENCES[language])
        assert set(wording.SENTENCES[language]) == set(wording.SENTENCES["en"])
        assert set(wording.WORDS[language]) == set(wording.WORDS["en"])
        assert set(timeline.FORMS[language]) == set(timeline.FORMS["en"])
        for form, sentence in wording.SENTENCES[language].items():
            assert fields(sentence) == fields(wording.SENTENCES["en"][form]), form


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_makes_a_sentence_even_of_an_empty_body(kind: str, language: str) -> None:
    found = facts.of(event(kind, answer="ask"), NAMES)
    assert found is not None
    assert wording.sentence(found, language)


def test_a_release_that_is_live_is_told_by_its_name() -> None:
    told = fact("revision.reached", "id", environment="prod", release="r42", cause="promotion", number=3)
    assert wording.sentence(told, "en") == "r42 is live in prod"
    assert wording.sentence(told, "pt") == "r42 está no ar em prod"
    assert (told.severity, told.path) == ("info", "/flights/environments/prod")


@pytest.mark.parametrize(("cause", "said", "severity"), [
    ("rollback", "prod went back to r41", "ticket"),
    ("destroy", "prod was destroyed", "ticket"),
    ("scale", "prod runs another number of instances", "info"),
    ("clone", "r41 is live in prod", "info"),
    ("whatever", "r41 is live in prod", "info"),
])  # fmt: skip
def test_a_revision_is_told_by_what_caused_it(cause: str, said: str, severity: str) -> None:
    told = fact("revision.reached", "id", environment="prod", release="r41", cause=cause)
    assert (wording.sentence(told, "en"), told.severity) == (said, severity)


def test_an_owner_is_the_services_or_the_jobs_or_the_projects() -> None:
    assert fact("alert.fired", service="delays", rule="errors").owner == "@data"
    assert fact("alert.fired", service="delays", rule="errors", owner="@sre").owner == "@sre"
    assert fact("job.failed", "id", environment="prod", job="nightly", reason="x").owner == "@night"
    late = fact("job.late", "nightly", environment="prod", ready_by="07:00")
    assert (late.owner, wording.sentence(late, "en")) == (
        "@night", "The job nightly is late in prod: it should be there by 07:00",
    )  # fmt: skip
    assert fact("environment.held", reason="night").owner == "@all"


def test_an_alert_is_as_bad_as_its_rule_says_when_it_fires_and_when_it_is_over() -> None:
    for kind in ("alert.fired", "alert.resolved"):
        assert fact(kind, rule="errors", severity="page").severity == "page"
        assert fact(kind, rule="errors", severity="loud").severity == "ticket"


def test_what_an_event_of_its_own_tells_better_is_not_told_twice() -> None:
    assert facts.of(event("alert.fired", rule="job-failed", severity="ticket"), NAMES) is None
    assert facts.of(event("alert.fired", rule="job-failed", severity="page"), NAMES) is not None
    assert facts.of(event("reaction.decided", answer="skip"), NAMES) is None
    assert facts.of(event("run.finished"), NAMES) is None


def test_a_channel_gets_what_it_asked_for() -> None:
    failed = fact("job.failed", "id", environment="prod", job="nightly", reason="x")
    assert facts.wanted(failed, Channel("a", "slack"))
    assert facts.wanted(failed, Channel("a", "slack", severity="ticket", owners=("@night",), events=("job",)))
    assert facts.wanted(failed, Channel("a", "slack", events=("change.refused", "job.failed")))
    assert not facts.wanted(failed, Channel("a", "slack", severity="page"))
    assert not facts.wanted(failed, Channel("a", "slack", owners=("@data",)))
    assert not facts.wanted(failed, Channel("a", "slack", events=("job.late", "change")))


def test_what_was_pushed_is_one_line_without_control_characters() -> None:
    told = fact("incident.opened", number=1, title="a\n\x1b[31mb" + "x" * 500, severity="page")
    said = wording.sentence(told, "en")
    assert "\n" not in said
    assert "\x1b" not in said
    assert len(said) == 300


def incident(**changes: object) -> Incident:
    given: dict[str, object] = {
        "id": "i", "project": "flights", "number": 1, "environment": "prod", "service": "delays", "title": "late", "severity": "page",
        "owner": "", "origin": "", "state": "open", "opened_by": "ana", "started_us": NOON, "opened_us": NOON, "resolved_by": "",
        "resolved_us": None, "reviewed_us": None, "review": "",
    }  # fmt: skip
    return Incident(**given | changes)  # type: ignore[arg-type]


def test_a_timeline_has_what_touched_the_place() -> None:
    seen = [
        event("change.merged", "c1", number=4, head="abcdef123"),
        event("revision.reached", "x", environment="prod", release="r4", cause="promotion"),
        event("revision.reached", "x", environment="test", release="r5", cause="promotion"),
        event("alert.fired", rule="errors", service="delays", text="5 % fail"),
        event("alert.fired", rule="errors", service="other", text="5 % fail"),
        event("config.set", environment="prod", set=["A"], unset=["B"]),
        event("incident.noted", number=1, text="looked"),
        event("incident.noted", number=2, text="other"),
        event("token.created", "ana"),
    ]
    told = [moment.what for moment in timeline.of(seen, incident(), NAMES.release)]
    assert told == [
        "change 4 (abcdef1) was merged", "r4 is live (promotion)", "alert errors of delays: 5 % fail",
        "configuration changed: A, B", "looked",
    ]  # fmt: skip
    assert timeline.of(seen[:1], incident(), NAMES.release, "pt")[0].what == "a mudança 4 (abcdef1) entrou"


def test_every_event_is_worded_in_a_timeline_or_left_out_on_purpose() -> None:
    rows = re.findall(r"^\| (`.+?) \|", EVENTS_PAGE.read_text(), re.MULTILINE)
    documented = {name for row in rows for name in re.findall(r"`([a-z.-]+)`", row)}
    worded = {form.partition("/")[0] for form in timeline.FORMS["en"]}
    assert len(documented) > 60
    assert documented == worded | NOT_IN_A_TIMELINE
    assert not worded & NOT_IN_A_TIMELINE
    for form, sentence in timeline.FORMS["en"].items():
        assert fields(timeline.FORMS["pt"][form]) == fields(sentence), form


def test_a_timeline_tells_of_rollouts_reactions_and_infrastructure_in_words() -> None:
    rollout = {
        "environment": "prod",
        "release": "r5",
        "against": "r4",
        "weight": 10,
        "reason": "14 of 212 requests failed",
    }
    reaction = {"environment": "prod", "reaction": "retrain", "do": "run", "why": "carrier drifts"}
    seen = [
        event("rollout.began", "x", **rollout),
        event("rollout.failed", "x", **rollout),
        event("reaction.decided", answer="ask", **reaction),
        event("reaction.decided", answer="act", **reaction),
        event("infra.failed", environment="prod", reason="no such region"),
        event("emergency.reviewed", environment="prod", note="it was right"),
        event("revision.reached", "x", environment="prod", release=None, cause="destroy"),
        event("rule.accepted", "c", rules=["errors", "drift"]),
        event("plan.asked", environment="prod", release="r6"),
        event("run.finished", environment="prod"),
        event("from.tomorrow", environment="prod"),
    ]
    assert [moment.what for moment in timeline.of(seen, incident(), NAMES.release)] == [
        "r5 gets 10 % of the requests, beside r4", "r5 is worse than r4, all requests went back: 14 of 212 requests failed",
        "the reaction retrain asks a person before it does run: carrier drifts",
        "the reaction retrain begins to do run: carrier drifts", "the infrastructure could not be applied: no such region",
        "the emergency was reviewed: it was right", "the environment was destroyed", "rules were loosened: errors, drift",
        "r6 waits for approval",
    ]  # fmt: skip
    told = [moment.what for moment in timeline.of(seen, incident(), NAMES.release, "pt")]
    assert told[:2] == [
        "r5 recebe 10 % dos pedidos, ao lado de r4", "r5 é pior do que r4, todos os pedidos voltaram: 14 of 212 requests failed",
    ]  # fmt: skip
    live = event("revision.reached", "x", environment="prod", release="r4", cause="promotion")
    assert timeline.of([live], incident(), NAMES.release, "pt")[0].what == "r4 está no ar (promoção)"
