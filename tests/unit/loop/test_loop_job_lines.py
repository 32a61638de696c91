"""What a run of a job says, and that a change may take a job away without loosening its gate."""

from ciranda.checks import policy
from ciranda.environment.jobs import Run
from ciranda.loop import job_lines, rules
from ciranda.project import read

DUE = 1_795_161_600_000_000  # 2026-11-20 08:00 UTC
RUN = Run(
    "1", "toy", "prod", "nightly", DUE, "schedule", "ciranda", "running", 1, None, "t", None, None, None, "", DUE, DUE, None
)  # fmt: skip


def run(**changes: object) -> Run:
    return Run(**{name: getattr(RUN, name) for name in Run.__dataclass_fields__} | changes)  # type: ignore[arg-type]


def test_the_headline_says_why_it_runs() -> None:
    schedule = "0 5 * * * America/Sao_Paulo"
    at = "toy nightly in prod at r1  "
    assert job_lines.headline(RUN, "r1", schedule) == f"{at}due 2026-11-20 05:00 -03"
    assert job_lines.headline(run(cause="caught up"), "r1", schedule) == f"{at}due 2026-11-20 05:00 -03, caught up"
    assert job_lines.headline(run(cause="by hand", actor="ana"), "r1", schedule) == f"{at}by hand of ana"
    assert job_lines.headline(run(cause="by hand", actor="ana", attempt=3), "r1", None) == f"{at}by hand of ana, try 3"


def test_the_end_says_what_the_environment_has() -> None:
    assert job_lines.ended(RUN, ["scores", "report"], "") == ["prod has scores, report of this run"]
    assert job_lines.ended(RUN, [], "scores failed\x1b[2J") == [
        "prod stays on what it had: scores failed[2J",
        "when it is mended: ciranda job retry nightly -e prod",
    ]
    assert job_lines.again(RUN, 2, 30_000_000) == "it is tried again in 30 s (try 2 of 3)"


def test_a_job_that_is_taken_away_or_eased_loosens_no_gate() -> None:
    """A job decides when production is refreshed, not what may enter: its table is judged by the release's own checks."""
    text = '[project]\nname = "toy"\n[environments.prod]\n'
    job = '[jobs.nightly]\nrun = ["scores"]\nschedule = "0 5 * * *"\nready_by = "07:00"\n'
    base = rules.declared(read.read_text(text + job, "ciranda.toml"))
    for change in (text, text + job.replace("07:00", "23:00"), text + job + "timeout = 1e6\n"):
        assert policy.effective_policy(base, rules.declared(read.read_text(change, "ciranda.toml"))).loosened == ()
