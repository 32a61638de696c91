"""Jobs on real ledgers, with the real handler: what passes becomes the environment's version, what does not leaves yesterday's."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ciranda.app.views import jobs as views
from ciranda.app.views import screen
from ciranda.environment import holds, moves, outputs, revisions
from ciranda.environment import jobs as rows
from ciranda.kernel import clock, errors, tasks
from ciranda.loop import job, jobs, live, receive
from ciranda.pipeline import runs
from support import jobs as sites
from support.jobs import JOB, Site
from support.kernel import Ledger

SECOND = 1_000_000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
AWAY = (datetime.now(UTC).hour + 12) % 24  # an hour that is half a day from now
READY = f"{(AWAY + 1) % 24:02}:00"
EVERY_DAY = f'schedule = "0 {AWAY} * * *"\nready_by = "{READY}"\n'
HALF_PAST = f'schedule = "{(datetime.now(UTC).minute + 30) % 60} * * * *"\n'


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    return sites.site(ledger, tmp_path)


def test_what_passes_becomes_the_environments_version(site: Site) -> None:
    release = site.live()
    run = site.run()
    assert (run.state, run.attempt, run.release, run.reason) == ("passed", 1, release.id, "")
    assert json.loads(site.value())[0] == {"id": 0, "score": 2}
    assert site.events() == ["job.started", "job.finished"]
    assert run.run is not None
    pipeline = runs.by_id(site.database, run.run)
    assert pipeline is not None
    assert (pipeline.cause, pipeline.actor, pipeline.trust) == ("job nightly in prod", "ana", "protected")
    assert [step.step for step in runs.steps(site.database, pipeline)] == ["numbers", "doubled", "scores"]
    assert site.said(run) == [
        "toy nightly in prod at r1  by hand of ana",
        *[line for line in site.said(run) if line.startswith("  ")],
        "prod has scores of this run",
        "",
    ]
    assert not any("news" in line for line in site.said(run)), "what no job asks for is not run"
    assert list(site.places.runs.glob("job-*")) == []


def test_a_wrong_table_leaves_yesterdays_and_shows_its_rows(site: Site) -> None:
    site.live()
    site.run()
    good = site.value()
    site.numbers.write_text("1 -2 3 -4")
    run = site.run()
    assert (run.state, run.reason) == ("failed", "scores: positive failed on 2 rows")
    assert site.value() == good
    assert site.events()[-2:] == ["job.started", "job.failed"]
    said = "\n".join(site.said(run))
    assert "✗ positive: 2 of 4 rows" in said
    assert "prod stays on what it had: scores: positive failed on 2 rows" in said
    assert "ciranda job retry nightly -e prod" in said
    view = views.gather(site.database, site.places.store, "toy", "prod", "nightly")
    found = "\n".join(view.found)
    assert "✗ positive: 2 of 4 rows" in found
    assert "-4" in found
    assert [entry.of.state for entry in view.entries] == ["failed", "passed"]
    assert [(output.asset, output.run) for output in view.outputs] == [("scores", view.entries[1].run)]
    assert json.loads(json.dumps(view.document()))["verdicts"][0]["judgement"] == "fail"


def test_a_retry_goes_on_from_where_it_failed(site: Site) -> None:
    broken = sites.PIPELINE.replace(
        'return [{"id": place',
        'import pathlib; pathlib.Path("/tmp/nothing-here-at-all").read_text(); return [{"id": place',
    )
    site.live(pipeline=broken)
    run = site.run()
    assert run.state == "failed"
    assert "FileNotFoundError" in "\n".join(site.said(run))
    with pytest.raises(errors.Refused, match="has no job night"):
        jobs.retry(site.places, "toy", "prod", "night", actor="bob")
    site.live()
    again, offset = jobs.retry(site.places, "toy", "prod", "nightly", actor="bob")
    assert (again.id, again.attempt, again.actor) == (run.id, 2, "bob")
    assert offset == (site.places.lines / f"{run.id}.jsonl").stat().st_size
    site.work()
    assert site.now(run).state == "passed"
    assert site.history() == [("by hand", "passed")], "one row, however often it is tried"
    last = runs.history(site.database, "toy", 1)[0]
    assert {step.step: step.state for step in runs.steps(site.database, last)} == {
        "numbers": "unchanged", "doubled": "unchanged", "scores": "ran",
    }  # fmt: skip
    with pytest.raises(errors.Refused, match="did not fail the last time"):
        jobs.retry(site.places, "toy", "prod", "nightly", actor="bob")


def test_it_is_tried_again_as_often_as_it_says(site: Site) -> None:
    site.live(JOB + "retries = 1\n")
    site.numbers.write_text("-1")
    run = site.run()
    assert (run.state, run.attempt, run.task) == ("waiting", 2, None)
    assert run.retry_us is not None
    assert 20 * SECOND < run.retry_us - clock.now_us() <= 30 * SECOND
    assert site.said(run)[-1] == "it is tried again in 30 s (try 2 of 2)"
    assert site.events() == ["job.started"], "nobody is told of a failure that may still be mended"
    sweep = jobs.Sweep(site.places)
    assert sweep.look() == run.retry_us
    assert site.work() == 0
    site.database.write(lambda tx: tx.execute("UPDATE job_run SET retry_us = 1"))
    sweep.look()
    sweep.look()
    assert site.work() == 1
    assert (site.now(run).state, site.now(run).attempt) == ("failed", 2)
    assert site.events() == ["job.started", "job.started", "job.failed"]


def test_what_waits_for_its_next_try_comes_at_once_by_hand(site: Site) -> None:
    site.live(JOB + "retries = 3\n")
    site.numbers.write_text("-1")
    run = site.run()
    site.numbers.write_text("1")
    again, _ = jobs.retry(site.places, "toy", "prod", "nightly", actor="bob")
    assert again.id == run.id
    site.work()
    assert site.now(run).state == "passed"
    site.numbers.write_text("-1")
    waits = site.run()
    assert waits.state == "waiting"
    other = site.run()
    assert (site.now(waits).state, other.id != waits.id) == ("failed", True)


def test_what_was_missed_is_caught_up_once(site: Site) -> None:
    site.live(JOB + EVERY_DAY)
    jobs.Sweep(site.places).look()
    assert site.history() == [], "nothing was missed yet"
    site.since(clock.now_us() - 10 * DAY)
    for _ in range(3):
        jobs.Sweep(site.places).look()
    assert site.history() == [("caught up", "waiting")]
    assert site.work() == 1
    assert site.history() == [("caught up", "passed")]
    jobs.Sweep(site.places).look()
    assert site.history() == [("caught up", "passed")]
    run = rows.history(site.database, "toy", "prod", "nightly")[0]
    assert f"{AWAY:02}:00 UTC, caught up" in site.said(run)[0]
    assert clock.now_us() - run.due_us < DAY


def test_two_looks_at_the_same_moment_queue_one(site: Site) -> None:
    site.live(JOB + EVERY_DAY)
    site.since(clock.now_us() - 2 * DAY)
    acts = jobs.decide(jobs.look(site.places), clock.now_us())
    assert [type(act).__name__ for act in acts] == ["Late", "Queue"]
    for act in (*acts, *acts):
        site.database.write(lambda tx, act=act: jobs.perform(tx, act))  # type: ignore[misc]
    assert site.history() == [("caught up", "waiting")]
    assert site.work() == 1
    assert site.events() == ["job.late", "job.started", "job.finished"]


def test_never_two_at_once(site: Site) -> None:
    site.live(JOB + 'schedule = "* * * * *"\n')
    queued = jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")
    with pytest.raises(errors.Refused, match="never two at once"):
        jobs.by_hand(site.places, "toy", "prod", "nightly", actor="bob")
    with pytest.raises(errors.Refused, match="never two at once"):
        jobs.retry(site.places, "toy", "prod", "nightly", actor="bob")
    site.since(clock.now_us() - HOUR)
    jobs.Sweep(site.places).look()
    history = rows.history(site.database, "toy", "prod", "nightly")
    assert [(run.state, run.reason) for run in history] == [
        ("skipped", "the run before it was still going"), ("waiting", ""),
    ]  # fmt: skip
    site.work()
    assert site.now(queued).state == "passed"


def test_a_held_environment_runs_its_jobs(site: Site) -> None:
    site.live()
    site.database.write(lambda tx: holds.hold(tx, "toy", "prod", reason="the fair is on", actor="ana"))
    assert site.environment().held
    assert site.run().state == "passed"


def test_the_next_run_is_of_the_new_release_and_a_job_that_is_gone_is_not_run(site: Site) -> None:
    first = site.live(JOB + EVERY_DAY)
    assert site.run().release == first.id
    second = site.live(JOB + EVERY_DAY.replace("* * *", "1 * *"))
    assert site.run().release == second.id
    waits = jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")
    site.live("")
    site.work()
    assert (site.now(waits).state, site.now(waits).reason) == ("skipped", "r3 has no job nightly in prod")
    jobs.Sweep(site.places).look()
    assert rows.known(site.database) == []
    with pytest.raises(errors.NotFound, match="has no job nightly"):
        jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")


def test_another_schedule_has_missed_nothing(site: Site) -> None:
    site.live(JOB + EVERY_DAY)
    site.since(clock.now_us() - 10 * DAY)
    site.live(JOB + HALF_PAST)
    jobs.Sweep(site.places).look()
    assert site.history() == []
    [known] = rows.known(site.database)
    assert clock.now_us() - known.since_us < HOUR
    site.since(clock.now_us() - 10 * DAY)
    site.live(JOB + HALF_PAST + "retries = 2\n")
    jobs.Sweep(site.places).look()
    assert site.history() == [("caught up", "waiting")], "the same schedule goes on"


def test_a_next_try_is_forgotten_with_its_job(site: Site) -> None:
    site.live(JOB + "retries = 5\n")
    site.numbers.write_text("-1")
    run = site.run()
    assert run.state == "waiting"
    site.live("")
    jobs.Sweep(site.places).look()
    assert site.now(run).state == "failed"


def test_what_an_earlier_process_finds_out_too_late_is_not_recorded(site: Site) -> None:
    site.live()
    run = jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")
    slow = site.claim()
    assert slow is not None
    tasks.renew(site.database, slow, 0.0)
    tasks.release_expired(site.database)
    assert site.work() == 1
    good = site.now(run)
    with pytest.raises(errors.Fenced):
        job._conclude(run, slow, site.places, reason="it was too slow")
    assert site.now(run) == good
    assert site.events() == ["job.started", "job.finished"]


def test_a_process_that_takes_over_begins_no_second_time(site: Site) -> None:
    site.live()
    run = jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")
    task = site.claim()
    assert task is not None
    bench = job._prepare(run, task, site.places, site.places.runs / f"job-{run.id}-{task.fence}")
    assert bench is not None, "killed here"
    tasks.renew(site.database, task, 0.0)
    tasks.release_expired(site.database)
    assert site.now(run).state == "running"
    site.work()
    assert site.now(run).state == "passed"
    assert site.events() == ["job.started", "job.finished"]
    assert list(site.places.runs.glob("job-*")) == []


def test_what_cannot_run_has_failed_and_says_why(site: Site) -> None:
    site.live()
    run = jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")
    task = site.claim()
    assert task is not None
    job.give_up(task, site.places, "it took longer than 60 s")
    assert (site.now(run).state, site.now(run).reason) == ("failed", "it took longer than 60 s")
    assert site.said(run)[0] == "prod stays on what it had: it took longer than 60 s"
    assert site.events() == ["job.failed"]


def test_a_pipeline_without_a_graph_fails_the_job(site: Site) -> None:
    site.live(pipeline="raise RuntimeError('no luck')")
    run = site.run()
    assert run.state == "failed"
    assert "no luck" in run.reason
    assert "no luck" in "\n".join(site.said(run))


def test_status_tells_of_jobs(site: Site) -> None:
    site.live(JOB + EVERY_DAY)
    site.live(JOB + EVERY_DAY, "test")
    jobs.Sweep(site.places).look()
    [prod] = rows.listing(site.database, "toy", "prod")
    assert prod.last is None
    assert prod.next_at.endswith(f"{AWAY:02}:00 UTC")
    now_us = clock.now_us()
    assert screen.job_lines("prod", prod, 7, now_us)[0].startswith("nightly   next ")
    [test] = rows.listing(site.database, "toy", "test")
    assert (test.schedule, test.stirs) == (None, False), "its schedule holds in production alone"
    text = "UPDATE job SET since_us = :us"
    site.database.write(lambda tx: tx.execute(text, us=now_us - 3 * DAY))
    [late] = rows.listing(site.database, "toy", "prod")
    assert late.late_us is not None
    assert screen.job_lines("prod", late, 7, now_us)[-1] == (
        f"          ! not there by {READY}: ciranda job show nightly -e prod"
    )
    site.numbers.write_text("-1")
    jobs.Sweep(site.places).look()
    site.work()
    [failed] = rows.listing(site.database, "toy", "prod")
    lines = screen.job_lines("prod", failed, 7, clock.now_us())
    assert "last ✗" in lines[0]
    assert lines[1].strip() == "✗ scores: positive failed on 1 row"
    site.numbers.write_text("1")
    site.run()
    [good] = rows.listing(site.database, "toy", "prod")
    assert good.late_us is None
    assert "last ✓ 0 s ago" in screen.job_lines("prod", good, 7, clock.now_us())[0]


def test_where_nothing_is_live_any_more_nothing_runs(site: Site) -> None:
    site.live(JOB + EVERY_DAY)
    site.run()
    waits = jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")
    now = revisions.live(site.database, "toy", "prod")
    assert now is not None
    gone = site.database.write(lambda tx: moves.destroy(tx, now, actor="ana"))
    assert site.database.write(lambda tx: moves.end(tx, gone, "reached", actor="ciranda"))
    site.work()
    assert (site.now(waits).state, site.now(waits).reason) == ("skipped", "nothing is live in prod")
    jobs.Sweep(site.places).look()
    assert rows.known(site.database) == []
    assert outputs.current(site.database, "toy", "prod") == {}
    with pytest.raises(errors.NotFound, match="what is live in prod of toy has no job nightly"):
        jobs.by_hand(site.places, "toy", "prod", "nightly", actor="ana")


GROWS = """
    from ciranda import check, dataset, live

    @dataset
    def scores(numbers: str) -> list:
        return [{"id": place, "score": int(line)} for place, line in enumerate(numbers.split())]

    @check(scores)
    def grows(scores, before=live("scores")):
        return before is None or len(scores) > len(before)
"""


def test_checks_compare_with_what_the_last_run_made(site: Site) -> None:
    release = site.live(pipeline=GROWS)
    assert site.run().state == "passed"
    failed = site.run()
    assert failed.reason == "scores: grows failed", "as long as the one that is live"
    site.numbers.write_text("1 2 3 4")
    assert site.run().state == "passed"
    commit = receive.declared(site.bare, release.commit_sha)
    assert live.assets(site.places, commit)["scores"] == outputs.current(site.database, "toy", "prod")["scores"].version
    lost = live.running(site.places, "toy", "prod")["scores"].digest
    site.places.store.discard(lost)
    with pytest.raises(errors.NotFound, match="a job made for prod, is not in the store any more") as caught:
        live.assets(site.places, commit)
    assert caught.value.hint == "make it anew: ciranda job run nightly -e prod"
    assert site.run().state == "passed"
    assert live.assets(site.places, commit)["scores"].digest == lost
    site.live("")
    jobs.Sweep(site.places).look()
    assert live.assets(site.places, commit) == {}, "no job makes it any more"
