"""What a push says of a release that entered by steps."""

from dataclasses import replace
from typing import Any

import pytest

from ciranda.environment.revisions import Revision, Verification
from ciranda.environment.rollout import judging, rows
from ciranda.environment.rollout.progress import Count, Counts, Progress, Side
from ciranda.loop import wording
from ciranda.project.rollout import Rollout

RULES = Rollout()
TARGET = Revision(
    id="v2", project="flights", environment="prod", number=2, release="x", config={}, secrets={}, instances={},
    verify=Verification(), cause="promotion", actor="ana", state="reached", reason="", bad=False, created_us=0,
    routed_us=1, ended_us=9_000_000, rollout=RULES,
)  # fmt: skip


def rolled(requests: int = 0, errors: int = 0, **changes: Any) -> rows.Row:
    services = judging.begin(RULES, {"delays": "/flights/prod/delays"}, Counts(), canary="r42", control="r41")
    one = services["delays"]
    counted = replace(one, canary=Side(Count(), Count(requests, errors)))
    plain: dict[str, Any] = {"state": "running", "step": 0, "began_us": 0, "stepped_us": 0, "looked_us": 0}
    return rows.Row("v2", "y", RULES, Progress(**plain | {"services": {"delays": counted}} | changes), False, None)


@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ("pp", "10 % ✓  50 % ✓  100 % ✓"),
        ("pq", "10 % ✓  50 % – quiet  100 % ✓"),
        ("hp", "10 % – by hand  50 % ✓  100 % ✓"),
    ],
)
def test_what_is_live_says_how_each_step_was_left(ways: str, said: str) -> None:
    row = rolled(4812, 0, state="passed", step=2, ways=ways)
    lines = wording.environment(TARGET, [], width=8, rolled=row, live="r41")
    assert lines[0].startswith("  prod      10 %")
    assert said in " ".join(line.strip() for line in lines)
    assert "0 of 4,812 requests failed" in " ".join(lines)


def test_what_went_back_says_at_which_step_and_why() -> None:
    why = "14 of 212 requests failed, 3 of 1,904 on r41: at least twice as often"
    row = rolled(212, 14, state="failed", step=1, ways="p", reason=why)
    lines = wording.environment(replace(TARGET, state="failed"), [], width=8, rolled=row, live="r41")
    assert " ".join(" ".join(lines).split()) == f"prod 10 % ✓ 50 % ✗ {why}; back to r41"
    assert all(len(line) <= wording.WIDTH for line in lines)


def test_what_failed_otherwise_says_that() -> None:
    row = rolled(state="passed", step=2, ways="pp")
    failed = replace(TARGET, state="failed", reason="delays died 0.1 s after it was routed (exit 1)")
    assert "delays died" in wording.environment(failed, [], width=8, rolled=row, live="r41")[0]


def test_a_release_that_begins_and_one_that_waits() -> None:
    begins = wording.share(TARGET, "r42", "r41", 10, width=8)
    assert begins == "  prod      10 % to r42, 90 % to r41: ciranda rollout -e prod --follow"
    row = rolled(state="waiting", reason="3 of at least 100 requests in this step")
    told = wording.waits(TARGET, row, width=8)
    assert told[0] == "  prod      10 % ? 3 of at least 100 requests in this step"
    assert "ciranda rollout resume -e prod" in told[1]
