"""Whatever is killed, or out of room, between a fact and its line: a window is told the end, and told it once."""

from pathlib import Path

from ciranda.loop import advance, tell
from support import loop


def test_a_merged_change_whose_end_was_not_said_says_it(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        change = site.change("merged")
        assert advance.advance(change, site.places)
        assert _ends(site, change.id) == ["ok"]
        assert site.now(change).state == "delivering"


def test_a_merged_change_whose_end_was_said_says_no_more(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        change = site.change("merged")
        tell.Teller(site.places.lines, change.id).settle("ok")
        assert advance.advance(change, site.places)
        assert _ends(site, change.id) == ["ok"]


def test_a_refusal_is_said_before_it_is_a_fact_and_once(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        change = site.change("failed", "code failed")
        tell.Teller(site.places.lines, change.id).settle("ng", ["main stays: code failed"], reason="code failed")
        assert advance.advance(change, site.places)
        assert _ends(site, change.id) == ["ng"]
        assert site.now(change).state == "refused"


def test_a_headline_is_said_once_however_often_the_ledger_has_no_room(tmp_path: Path) -> None:
    with loop.site(tmp_path) as site:
        change = site.change("recorded")
        assert advance.advance(change, site.places)
        assert not advance.advance(change, site.places)  # as seen before: the state was moved already
        assert [record.get("key") for record in tell.Teller(site.places.lines, change.id).records()] == ["headline"]


def _ends(site: loop.Site, change: str) -> list[str]:
    return [record["status"] for record in tell.Teller(site.places.lines, change).records() if record.get("settles")]
