"""A release is compared with what is live when it enters, not with what was live at its gate; and what waits for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ciranda.checks import gate, verdicts
from ciranda.environment import holds, moves
from ciranda.kernel import errors, events, tasks
from ciranda.loop import advance, approvals, changes, contents, recheck, tell
from ciranda.loop.changes import Change
from ciranda.release import manifest, releases
from support import loop


@dataclass
class Waiting:
    """A release that wants to enter prod, where `live` says what runs."""

    site: loop.Site
    change: Change
    release: releases.Release
    content: manifest.Manifest

    def barred(self) -> recheck.Barred | None:
        return recheck.barred(self.change, self.release, self.content, "prod", self.site.places)

    def state(self, compared: Mapping[str, str | None], *, passed: bool) -> None:
        """Say what came of comparing it with these versions."""
        body = {
            "environment": "prod",
            "compared": compared,
            "against": "r2",
            "passed": passed,
            "reason": "model: worse failed",
        }
        self.site.places.database.write(
            lambda tx: releases.state(tx, self.release, kind=recheck.KIND, body=body, actor="ciranda")
        )

    def asked(self) -> bool:
        return ("recheck", self.release.id) in tasks.unfinished(self.site.places.database)


def waiting(site: loop.Site, judged: Mapping[str, str | None] | None) -> Waiting:
    """A release whose gate compared it with these live versions (None: it is not known with which)."""
    change = site.change("merged")
    if judged is not None:
        change = replace(change, outcome={**change.outcome, "live": judged})
        site.places.database.write(lambda tx: changes.move(tx, change, "merged", outcome=change.outcome))
    content = contents.of_change(change, site.bare)
    return Waiting(site, change, made(site, content, change.id), content)


def made(site: loop.Site, content: manifest.Manifest, change: str | None) -> releases.Release:
    """A release of this content."""
    kept = releases.keep(site.places.store, content)
    return site.places.database.write(
        lambda tx: releases.make(tx, manifest=content, kept=kept, change=change, actor="ana")
    )


def run_live(site: loop.Site, content: manifest.Manifest, model: str) -> releases.Release:
    """Make a release with this model live in prod."""
    other = replace(content, assets={"model": replace(content.assets["model"], digest=model)})
    release = made(site, other, None)
    target = site.places.database.write(
        lambda tx: moves.target(tx, environment="prod", release=release, content=other, actor="ana")
    )
    site.places.database.write(lambda tx: moves.end(tx, target, "reached", actor="ana"))
    return release


A, B = f"b3:{'a' * 64}", f"b3:{'b' * 64}"


def test_what_the_gate_saw_is_not_looked_at_again(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        one = waiting(site, {"model": A})
        run_live(site, one.content, A)
        assert one.barred() is None
        assert (
            recheck.barred(one.change, one.release, one.content, "test", site.places) is None
        )  # not where live is replaced


def test_a_release_without_checks_that_compare_enters_whatever_is_live(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        one = waiting(site, {})
        run_live(site, one.content, B)
        assert one.barred() is None


@pytest.mark.parametrize("judged", [{"model": A}, {"model": None}, None])
def test_live_that_has_moved_bars_until_it_was_compared(judged: dict[str, str | None] | None, tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        one = waiting(site, judged)
        run_live(site, one.content, B)
        barred = one.barred()
        assert barred is not None
        assert barred.waits
        assert barred.reason == "r2 is live now: checks that compare with it run again"
        one.state({"model": A}, passed=False)  # compared with something else
        assert one.barred() == barred
        one.state({"model": B}, passed=False)
        assert one.barred() == recheck.Barred(False, "model: worse failed, compared with r2, live now")
        one.state({"model": B}, passed=True)  # the last word counts
        assert one.barred() is None
        run_live(site, one.content, A)  # and live moves on
        assert (one.barred() is None) == (judged == {"model": A})


def test_the_loop_asks_once_and_ends_where_it_is_worse(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        one = waiting(site, {"model": A})
        run_live(site, one.content, B)
        # a newer release is what prod would be given: the live one is older
        newer = replace(one.content, commit="f" * 40)
        release = made(site, newer, one.change.id)
        site.places.database.write(lambda tx: changes.move(tx, one.change, "delivering", release=release.id))
        for _ in range(3):
            assert not advance.advance(site.now(one.change), site.places)
        said = [record["text"] for record in tell.Teller(site.places.lines, one.change.id).records()]
        assert said == ["  prod      r2 is live now: checks that compare with it run again"]
        assert ("recheck", release.id) in tasks.unfinished(site.places.database)
        body = {
            "environment": "prod",
            "compared": {"model": B},
            "against": "r2",
            "passed": False,
            "reason": "model: worse failed",
        }
        site.places.database.write(
            lambda tx: releases.state(tx, release, kind=recheck.KIND, body=body, actor="ciranda")
        )
        assert advance.advance(site.now(one.change), site.places)
        ended = site.now(one.change)
        assert (ended.state, ended.reason) == ("settled", "model: worse failed, compared with r2, live now")


def test_by_hand_it_is_refused_and_compared_once_more_for_whoever_asks_again(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        one = waiting(site, {"model": A})
        run_live(site, one.content, B)
        with pytest.raises(errors.NotYet, match="r2 is live now"):
            recheck.refuse_worse(one.release, one.content, "prod", site.places)
        assert one.asked()
        one.state({"model": B}, passed=False)
        with pytest.raises(errors.Refused, match="model: worse failed, compared with r2"):
            recheck.refuse_worse(one.release, one.content, "prod", site.places)
        one.state({"model": B}, passed=True)
        recheck.refuse_worse(one.release, one.content, "prod", site.places)
        one.state({"model": B}, passed=False)
        site.places.database.write(lambda tx: holds.hold(tx, "toy", "prod", reason="", actor="ana"))
        recheck.refuse_worse(one.release, one.content, "prod", site.places)  # the hold says why


# ── a person decides ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_change_that_asks_waits_says_so_once_and_goes_on_when_it_is_approved(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        database = site.places.database
        change = site.change("asking", "model: good could not be judged")
        found = [gate.Verdict("good", "model", "ask", True, "change", "raised KeyError: 'x'")]
        database.write(lambda tx: verdicts.keep(tx, change.id, found))
        for _ in range(2):
            assert not advance.advance(change, site.places)
        said = [record["text"].strip() for record in tell.Teller(site.places.lines, change.id).records()]
        assert said == [
            "gate      ? a person decides: model: good could not be judged",
            "let it in: ciranda approve change/1",
        ]
        database.write(lambda tx: approvals.approve(tx, "toy", 1, actor="bea"))
        assert site.now(change).state == "passed"
        event = next(each for each in events.after(database, 0) if each.kind == "change.approved")
        assert (event.actor, event.body["head"], event.body["checks"]) == ("bea", site.head, ["good"])
        with pytest.raises(errors.Refused, match="waits for nobody: it is passed"):
            database.write(lambda tx: approvals.approve(tx, "toy", 1, actor="bea"))


def test_a_change_that_does_not_exist_or_asks_nothing_is_not_approved(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        site.change("judging")
        for number, kind in ((1, errors.Refused), (9, errors.NotFound)):
            with pytest.raises(kind):
                site.places.database.write(lambda tx, number=number: approvals.approve(tx, "toy", number, actor="bea"))


def test_a_change_that_asks_is_refused_when_the_branch_goes_on_without_it(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        change = replace(site.change("asking", "x"), base="e" * 40, head="d" * 40)
        assert advance.advance(change, site.places)
        assert site.now(change).state == "refused"


def test_a_change_is_named_in_its_project_or_with_it() -> None:
    assert approvals.parse(approvals.named("toy", "change/7")) == ("toy", 7)
    assert approvals.parse(approvals.named("toy", "change/flights/7")) == ("flights", 7)


@pytest.mark.parametrize("name", ["change/7", "change/", "change/toy/x", "change//7"])
def test_what_names_no_change_is_a_usage_error(name: str) -> None:
    with pytest.raises(errors.Usage):
        approvals.parse(name)
