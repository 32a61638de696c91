"""Releases in a real ledger and a real store."""

from pathlib import Path

import pytest

from ciranda.kernel import errors, events
from ciranda.release import releases
from support import environment
from support.environment import Site
from support.kernel import Ledger


@pytest.fixture
def site(ledger: Ledger, tmp_path: Path) -> Site:
    return environment.site(ledger, tmp_path)


def test_equal_content_is_the_same_release_and_numbers_have_no_gaps(site: Site) -> None:
    first, content = site.release("c1")
    again, _ = site.release("c1")
    second, _ = site.release("c2")
    other_model, _ = site.release("c2", model=b"2")
    assert first == again
    assert [first.name, second.name, other_model.name] == ["r1", "r2", "r3"]
    assert first.digest == content.digest
    made = [one for one in events.after(site.database, 0) if one.kind == "release.made"]
    assert [one.subject for one in made] == [first.id, second.id, other_model.id]


def test_a_release_is_found_by_name_number_digest_and_its_beginning(site: Site) -> None:
    one, _ = site.release("c1")
    two, _ = site.release("c2")
    for name in ("r1", "1", 1, one.digest, one.digest[:12], one.id):
        assert releases.get(site.database, "flights", name) == one
    assert releases.latest(site.database, "flights") == two
    assert [found.name for found in releases.history(site.database, "flights")] == ["r2", "r1"]
    for name in ("r3", "nothing", "b3:", "b3:%", "r1x", ""):
        with pytest.raises(errors.NotFound, match="no release"):
            releases.get(site.database, "flights", name)
    with pytest.raises(errors.NotFound):
        releases.get(site.database, "other", one.id)


def test_the_manifest_comes_back_as_it_went_in(site: Site) -> None:
    release, content = site.release("c1", settings={"LEVEL": "info", "DEPTH": 3})
    assert releases.manifest(site.store, release) == content


def test_statements_name_the_digest_and_change_nothing(site: Site) -> None:
    release, _ = site.release("c1")
    body = {"passed": True, "commands": 2}
    site.database.write(lambda tx: releases.state(tx, release, kind="verification", body=body, actor="ciranda"))
    (said,) = releases.stated(site.database, release)
    assert (said.release, said.kind, said.body) == (release.digest, "verification", body)
    assert releases.by_id(site.database, release.id) == release
