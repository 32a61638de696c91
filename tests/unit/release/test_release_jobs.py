"""Jobs in a manifest: where their schedules hold is said whole; without any it is what it was before there were jobs."""

from dataclasses import replace

from ciranda.kernel import digest
from ciranda.project import declaration
from ciranda.release import building, manifest

CHAIN = (declaration.Environment("test"), declaration.Environment("prod", after="test"))


def build(*jobs: declaration.Job) -> manifest.Manifest:
    return building.build(
        declaration.Project("toy", "pipeline.py", environments=CHAIN, jobs=jobs),
        commit="c" * 40, tree="t" * 40, interpreter="b3:11", parameters={}, assets={}, policy="b3:22",
    )  # fmt: skip


NIGHTLY = declaration.Job("nightly", ("scores",), "0 5 * * *", "07:00", retries=2, owner="@data", line=9)


def test_a_schedule_holds_in_the_last_environment_or_where_it_says() -> None:
    assert build(NIGHTLY).jobs["nightly"].environments == ("prod",)
    assert build(replace(NIGHTLY, environments=("test",))).jobs["nightly"].environments == ("test",)
    assert build(replace(NIGHTLY, schedule=None, ready_by=None)).jobs["nightly"].environments == ()


def test_it_reads_back_as_it_was_written() -> None:
    made = build(NIGHTLY, declaration.Job("by-hand", ("a", "b")))
    assert manifest.read(made.data) == made
    assert made.document()["jobs"]["nightly"] == {
        "run": ["scores"], "schedule": "0 5 * * *", "ready_by": "07:00", "environments": ["prod"], "retries": 2,
        "timeout": 21600.0, "owner": "@data",
    }  # fmt: skip


def test_without_jobs_it_is_the_release_that_it_was() -> None:
    assert build().document()["jobs"] == {}
    assert build(NIGHTLY).digest != build().digest
    assert build(replace(NIGHTLY, line=20)).digest == build(NIGHTLY).digest
    assert manifest.read(digest.canonical(build().document())).jobs == {}
