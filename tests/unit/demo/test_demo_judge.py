from ciranda.demo import judge
from ciranda.demo.judge import Answer, Finding, Outcome, Said


def answer(began: float, release: str = "r1", *, status: int = 200, problem: str = "", took: float = 0.01) -> Answer:
    return Answer(began, began + took, status, release if status else "", "q1" if status else "", b"0.3", problem)


def holds(findings: list[Finding] | Finding) -> bool:
    return all(finding.ok for finding in ([findings] if isinstance(findings, Finding) else findings))


def test_an_act_without_findings_was_not_observed() -> None:
    assert not Outcome(1, "", 0.0, ()).observed
    assert Outcome(1, "", 0.0, (Finding(True, "a"),)).observed
    assert Outcome(1, "", 0.0, (Finding(True, "a"), Finding(False, "b"))).why == "b"


def test_a_push_is_accepted_when_it_ended_well_and_main_is_there() -> None:
    assert holds(judge.accepted(Said(0, "", 1), "abc", "abc"))
    assert not holds(judge.accepted(Said(1, "", 1), "abc", "abc"))
    assert not holds(judge.accepted(Said(0, "", 1), "old", "abc"))
    assert not holds(judge.accepted(Said(0, "", 1), "", ""))


def test_a_push_is_refused_when_git_says_so_with_the_reason_and_main_stays() -> None:
    said = Said(1, "remote: flown_once: 54,008\n ! [remote rejected] main -> main (flights)", 1)
    assert holds(judge.refused(said, "abc", "abc", ["54,008"]))
    assert not holds(judge.refused(said, "new", "abc", ["54,008"]))
    assert not holds(judge.refused(said, "abc", "abc", ["54,009"]))
    assert not holds(judge.refused(Said(0, said.text, 1), "abc", "abc", ["54,008"]))
    assert not holds(judge.refused(Said(1, "fatal: cannot connect 54,008", 1), "abc", "abc", ["54,008"]))
    assert not holds(judge.refused(said, "", "", ["54,008"]))


def test_an_answer_without_release_or_request_id_is_a_failure() -> None:
    assert not answer(0).failed
    assert Answer(0, 1, 200, "r1", "").failed
    assert Answer(0, 1, 200, "", "q1").failed
    assert answer(0, status=502).failed


def test_no_traffic_at_all_is_not_steady() -> None:
    assert not judge.steady([]).ok
    assert judge.steady([answer(0), answer(1)]).ok


def test_failures_are_told_with_their_reasons() -> None:
    finding = judge.steady(
        [answer(0), answer(1, status=502), answer(2, status=502), answer(3, status=0, problem="timeout")]
    )
    assert finding.text == "3 of 4 requests failed: 2 × status 502, 1 × timeout"


def test_only_requests_that_had_begun_may_fail_at_a_kill() -> None:
    before, during, after = answer(1), answer(2, status=0, problem="reset"), answer(4)
    assert holds(judge.only_in_flight([before, during, after], gone=3))
    assert not holds(judge.only_in_flight([before, during, answer(3.5, status=502), after], gone=3))
    assert not holds(judge.only_in_flight([before, during], gone=3)), "nothing answered afterwards"


def test_after_the_first_answer_of_the_new_release_the_old_one_takes_nothing_that_begins() -> None:
    overlapping = [answer(0), answer(1, "r2"), answer(1.005)]
    assert holds(judge.took_over(overlapping, "r1", "r2"))
    assert not holds(judge.took_over([*overlapping, answer(5)], "r1", "r2"))
    assert not holds(judge.took_over([answer(0)], "r1", "r2"))
    assert not holds(judge.took_over([answer(0)], "r1", ""))


def test_models_are_told_apart_by_what_they_answer() -> None:
    assert judge.told_apart(b"0.3", b"0.4").ok
    assert not judge.told_apart(b"0.3", b"0.3").ok
    assert not judge.told_apart(b"0.3", b"").ok
    assert judge.told_alike(b"0.3", b"0.3").ok
    assert not judge.told_alike(b"", b"").ok


def test_the_first_answer_is_by_when_it_came() -> None:
    slow, quick = answer(0, "r2", took=3), answer(1, "r2", took=1)
    assert judge.first_of([slow, quick], "r2") == quick


def test_pace_is_in_requests_a_second_and_milliseconds() -> None:
    figures = judge.pace([answer(place / 10) for place in range(11)])
    assert figures["requests"] == 11
    assert figures["failed"] == 0
    assert figures["p50_ms"] == 10.0
    assert 10 < figures["per_second"] < 11
    assert judge.pace([]) == {"requests": 0, "failed": 0}
