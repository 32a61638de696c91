from pathlib import Path
from typing import Any

from ciranda.demo import judge
from ciranda.demo.judge import Answer, Finding, Outcome, Said
from ciranda.demo.story import Night


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


NIGHT = Night(lambda tree: Path(tree).touch(), "a plan", "2013-07-22", 2, ("leaves_that_day", "1 of 2 rows"))
ROWS = [{"id": "a", "day": "2013-07-22"}, {"id": "b", "day": "2013-07-22"}]


def test_a_good_night_is_in_production_when_its_rows_are() -> None:
    assert holds(judge.became(Said(0, "", 1), ROWS, "scores", NIGHT))
    assert not holds(judge.became(Said(1, "", 1), ROWS, "scores", NIGHT))
    assert not holds(judge.became(Said(0, "", 1), None, "scores", NIGHT))
    assert not holds(judge.became(Said(0, "", 1), ROWS[:1], "scores", NIGHT))
    yesterday = [row | {"day": "2013-07-21"} for row in ROWS]
    assert not holds(judge.became(Said(0, "", 1), yesterday, "scores", NIGHT))


def test_a_bad_night_fails_with_its_reasons() -> None:
    said = "scores  ✗ leaves_that_day: 1 of 2 rows"
    assert holds(judge.failed_night(Said(1, said, 1), NIGHT))
    assert not holds(judge.failed_night(Said(0, said, 1), NIGHT))
    assert not holds(judge.failed_night(Said(1, "scores  ✗ leaves_that_day", 1), NIGHT))


def test_the_rows_shown_are_wrong_ones_at_most_ten_and_all_are_counted() -> None:
    wrong = [f"f{number}" for number in range(12)]

    def found(ids: list[str], count: int = 12) -> dict[str, Any]:
        return {"count": count, "columns": ["hour", "id"], "rows": [[1945, each] for each in ids]}

    assert judge.rows_shown(found(wrong[:10]), wrong).ok
    assert not judge.rows_shown(found(wrong[:11]), wrong).ok
    assert not judge.rows_shown(found([]), wrong).ok
    assert not judge.rows_shown(found(wrong[:10], count=11), wrong).ok
    assert not judge.rows_shown(found(["right"]), wrong).ok
    assert not judge.rows_shown({}, wrong).ok


def test_production_stays_when_every_row_is_what_it_was() -> None:
    assert judge.stayed(ROWS, [dict(row) for row in ROWS], "scores", NIGHT).ok
    assert not judge.stayed(ROWS, ROWS[:1], "scores", NIGHT).ok
    assert not judge.stayed(ROWS, None, "scores", NIGHT).ok
    assert not judge.stayed(None, None, "scores", NIGHT).ok


TOLD: dict[str, Any] = {
    "release": "r1",
    "commit": "abc",
    "author": "Ada",
    "assets": {
        "delay": [
            {"asset": "delay", "digest": "b3:1", "figures": {"rows": 7}},
            {"asset": "flights", "digest": "b3:2", "rows": 9},
        ]
    },
}


def test_a_request_is_told_when_answer_branch_and_author_agree() -> None:
    assert judge.answered(TOLD, answer(0), "abc", "Ada").ok
    assert not judge.answered(TOLD, answer(0, "r2"), "abc", "Ada").ok
    assert not judge.answered(TOLD, answer(0), "abd", "Ada").ok
    assert not judge.answered(TOLD, answer(0), "abc", "Eve").ok
    assert not judge.answered({}, answer(0), "", "").ok


def test_model_and_table_are_those_that_the_files_make() -> None:
    assert judge.learnt(TOLD, "delay", 7).ok
    assert not judge.learnt(TOLD, "delay", 8).ok
    assert not judge.learnt({}, "delay", 7).ok
    assert judge.made_of(TOLD, "flights", 9).ok
    assert not judge.made_of(TOLD, "flights", 10).ok


def test_a_row_comes_from_the_line_that_git_has_there() -> None:
    told = {"count": 1, "sources": [{"file": "a.csv", "numbers": [2]}, {"file": "b.csv", "told": "no table"}]}
    kept = "id\none\ntwo\n"
    assert judge.came_from(told, "a.csv", kept, "two").ok
    assert not judge.came_from(told, "a.csv", kept, "one").ok
    assert not judge.came_from(told, "b.csv", kept, "two").ok
    assert not judge.came_from(told | {"count": 2}, "a.csv", kept, "two").ok
    assert not judge.came_from(told, "a.csv", "", "two").ok
    assert not judge.came_from({}, "a.csv", kept, "two").ok


def test_words_are_told_as_whole_ones() -> None:
    assert judge.tells("it", "prod  r1 #3, held", ["prod", "r1", "held"]).ok
    assert not judge.tells("it", "prod  r10", ["r1"]).ok


def test_a_canary_is_caught_when_only_its_own_requests_failed_and_few_of_them() -> None:
    good = [answer(number) for number in range(1000)]
    bad = [answer(number, "r2", status=500) for number in range(5)]
    after = [answer(2000 + number) for number in range(10)]
    assert holds(judge.caught([*good, *bad, *after], "r1", 0.05, 0.02, 1500))
    assert not holds(judge.caught([*good, *after], "r1", 0.05, 0.02, 1500)), "nothing was there to be caught"
    assert not holds(judge.caught([*good, *bad * 10, *after], "r1", 0.05, 0.02, 1500)), "too many"
    assert not holds(judge.caught([*good, answer(1, "r1", status=500), *after], "r1", 0.05, 0.02, 1500)), "of another"
    assert not holds(judge.caught([*good, *bad], "r1", 0.05, 0.02, 1500)), "nothing came after"
    assert not holds(judge.caught([*good, *bad, answer(2000, "r2")], "r1", 0.05, 0.02, 1500)), "it is still there"


def test_a_push_that_went_back_says_to_what() -> None:
    said = "remote:   prod   10 % ✗ 5 of 90 requests failed: at least\nremote:    twice as often; back to r1\n"
    assert holds(judge.went_back(Said(0, said, 1), "r1"))
    assert not holds(judge.went_back(Said(0, said, 1), "r2"))
    assert not holds(judge.went_back(Said(0, "remote: prod ✓ live", 1), "r1"))


def test_drift_is_found_in_the_column_that_moved() -> None:
    told = {"subjects": [{"open": [{"column_name": "temp"}]}, {"open": []}]}
    assert judge.columns(told) == ["temp"]
    assert holds(judge.drifted(told, "temp"))
    assert not holds(judge.drifted(told, "hour"))
    assert not holds(judge.drifted({}, "temp"))


def test_a_reaction_leads_to_the_release_that_answers() -> None:
    chain = [{"what": "temp drifts", "state": "happened"}, {"what": "release r4", "state": "made"}]
    assert holds(judge.reacted({"state": "done", "chain": chain}, "r4"))
    assert not holds(judge.reacted({"state": "asking", "chain": chain}, "r4"))
    assert not holds(judge.reacted({"state": "done", "chain": chain}, "r5"))
    assert not holds(judge.reacted({"state": "done", "chain": chain}, ""))


def test_infrastructure_is_there_when_the_push_the_state_and_the_world_say_so() -> None:
    push, state = Said(0, "infra: 1 to add", 1), {"resources": [{}]}
    assert holds(judge.built(push, state, ["box"]))
    assert not holds(judge.built(Said(0, "", 1), state, ["box"]))
    assert not holds(judge.built(push, state, []))
    assert not holds(judge.built(push, {}, ["box"]))
    assert holds(judge.moved(Said(2, "label kept → by hand", 1)))
    assert not holds(judge.moved(Said(0, "nothing", 1)))


def test_a_review_becomes_an_item_that_a_commit_closes() -> None:
    item = {"title": "a test", "owner": "@data", "commit_sha": "abc"}
    assert holds(judge.timeline("r2 did not become live: 10 %"))
    assert not holds(judge.timeline(""))
    assert holds(judge.items([item], "a test"))
    assert not holds(judge.items([], "a test"))
    assert not holds(judge.items([item | {"owner": ""}], "a test"))
    assert holds(judge.closed([item], "abc"))
    assert not holds(judge.closed([item], "def"))
    assert not holds(judge.closed([], ""))


def test_delivery_counts_the_release_that_went_back() -> None:
    figures = {"deployments": 3, "rate": 0.25, "lead": {"count": 3}, "restore": {"count": 1}}
    assert holds(judge.delivery(figures))
    for wrong in ({"rate": None}, {"rate": 0.0}, {"deployments": None}, {"lead": None}, {"restore": None}):
        assert not holds(judge.delivery(figures | wrong))
