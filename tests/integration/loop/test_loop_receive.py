"""Receiving a push: a real ledger, a real repository, and everything a client may try."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ciranda.kernel import database, migrations, store
from ciranda.loop import changes, receive
from ciranda.loop.changes import NOTHING
from ciranda.versions import repositories

TOML = '[project]\nname = "toy"\n'


@dataclass
class Place:
    """A home with one repository, and a clone that commits into it."""

    root: Path
    database: database.Database

    @property
    def bare(self) -> Path:
        return repositories.path(self.root / "repositories", "toy")

    def commit(self, files: dict[str, str], message: str = "a change") -> str:
        """Commit files in the clone and carry the objects over."""
        clone = self.root / "clone"
        for name, text in files.items():
            (clone / name).write_text(text)
        git(clone, "add", "-A")
        git(clone, "commit", "-qm", message, "--allow-empty")
        head = git(clone, "rev-parse", "HEAD")
        git(self.bare, "fetch", "-q", str(clone), "+HEAD:refs/carried/head")
        return head

    def push(self, ref: str, old: str, new: str, *options: str, admin: bool = False) -> dict[str, Any]:
        """What one update becomes."""
        push = receive.Push("toy", "ana", options, (receive.Update(ref, old, new),))
        (answer,) = receive.receive(
            push,
            database=self.database,
            store=store.Store(self.root / "store"),
            repositories_folder=self.root / "repositories",
            lines=self.root / "lines",
            may=lambda user, role, project: admin or role != "admin",
        )
        return answer

    def land(self, head: str) -> None:
        """Move main as the gate would, and settle the change."""
        (change,) = changes.unsettled(self.database)
        assert repositories.update_ref(self.bare, "refs/heads/main", head, change.base)
        self.database.write(lambda tx: changes.move(tx, change, "settled"))


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ana", "-c", "user.email=ana@localhost", "-c", "protocol.file.allow=always")
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "clone").mkdir()
    git(tmp_path / "clone", "init", "-qb", "main")
    repositories.ensure(tmp_path / "repositories", "toy")
    opened = database.open(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path)
    migrations.migrate(opened, ["ciranda.kernel", "ciranda.loop"])
    yield Place(tmp_path, opened)
    opened.close()


def test_the_first_push_protects_its_branch_and_is_a_change(place: Place) -> None:
    head = place.commit({"ciranda.toml": TOML}, "the first")
    answer = place.push("refs/heads/main", NOTHING, head)
    assert (answer["state"], answer["change"]["number"]) == ("change", 1)
    (change,) = changes.unsettled(place.database)
    assert (change.head, change.subject, change.state, change.actor) == (head, "the first", "recorded", "ana")
    assert repositories.read_ref(place.bare, "refs/changes/1") == head
    assert repositories.read_ref(place.bare, "refs/heads/main") is None


def test_the_same_push_again_follows_the_same_change(place: Place) -> None:
    head = place.commit({"ciranda.toml": TOML})
    assert place.push("refs/heads/main", NOTHING, head) == place.push("refs/heads/main", NOTHING, head)
    assert len(changes.unsettled(place.database)) == 1


def test_a_settled_change_that_is_pushed_again_is_a_new_one(place: Place) -> None:
    head = place.commit({"ciranda.toml": TOML})
    place.push("refs/heads/main", NOTHING, head)
    (change,) = changes.unsettled(place.database)
    place.database.write(lambda tx: changes.move(tx, change, "refused", reason="red"))
    assert place.push("refs/heads/main", NOTHING, head)["change"]["number"] == 2


def test_amending_a_change_that_waits_is_refused_as_not_yet(place: Place) -> None:
    place.push("refs/heads/main", NOTHING, place.commit({"ciranda.toml": TOML}))
    answer = place.push("refs/heads/main", NOTHING, place.commit({"a": "b"}))
    assert "change 1 of yours still waits" in answer["reason"]
    assert len(changes.unsettled(place.database)) == 1


def test_what_landed_meanwhile_is_done(place: Place) -> None:
    head = place.commit({"ciranda.toml": TOML})
    place.push("refs/heads/main", NOTHING, head)
    place.land(head)
    assert place.push("refs/heads/main", NOTHING, head)["state"] == "done"


def test_a_protected_branch_is_not_deleted_forced_or_moved_from_elsewhere(place: Place) -> None:
    first = place.commit({"ciranda.toml": TOML})
    place.push("refs/heads/main", NOTHING, first)
    place.land(first)
    git(place.root / "clone", "checkout", "-q", "--orphan", "other")
    other = place.commit({"ciranda.toml": TOML}, "unrelated")
    assert "cannot be deleted" in place.push("refs/heads/main", first, NOTHING)["reason"]
    assert "only moves forward" in place.push("refs/heads/main", first, other)["reason"]
    assert place.push("refs/heads/main", NOTHING, other)["reason"] == "fetch first"
    assert repositories.read_ref(place.bare, "refs/heads/main") == first


def test_other_branches_and_new_tags_are_written_at_once(place: Place) -> None:
    first = place.commit({"ciranda.toml": TOML})
    place.push("refs/heads/main", NOTHING, first)
    assert place.push("refs/heads/feature", NOTHING, first)["state"] == "done"
    assert place.push("refs/tags/v1", NOTHING, first)["state"] == "done"
    second = place.commit({"a": "b"})
    assert place.push("refs/tags/v1", first, second)["reason"] == "a tag stays: it neither moves nor goes away"
    assert repositories.read_ref(place.bare, "refs/tags/v1") == first
    assert place.push("refs/heads/feature/two", NOTHING, first)["reason"].startswith("there is feature already")
    assert place.push("refs/heads/features", NOTHING, first)["state"] == "done"


@pytest.mark.parametrize("ref", ["refs/changes/1", "refs/heads/a..b", "refs/heads/-x", "refs/heads/a\x1b[2J", "HEAD"])
def test_hostile_names_are_refused(place: Place, ref: str) -> None:
    head = place.commit({"ciranda.toml": TOML})
    place.push("refs/heads/main", NOTHING, head)
    assert place.push(ref, NOTHING, head)["state"] == "refused"


def test_a_tree_without_or_with_a_broken_declaration_is_refused_by_name(place: Place) -> None:
    assert "no ciranda.toml" in place.push("refs/heads/main", NOTHING, place.commit({"a": "b"}))["reason"]
    broken = place.push(
        "refs/heads/main", NOTHING, place.commit({"ciranda.toml": '[project]\nname = "toy"\nownr = "x"\n'})
    )
    assert "ciranda.toml:3" in broken["reason"]
    assert changes.unsettled(place.database) == []


def test_a_name_belongs_to_one_repository_and_stays(place: Place) -> None:
    place.database.write(lambda tx: changes.claim_project(tx, "toy", "elsewhere", "refs/heads/main"))
    head = place.commit({"ciranda.toml": TOML})
    assert "lives in the repository elsewhere" in place.push("refs/heads/main", NOTHING, head)["reason"]


def test_push_options_are_known_or_refused(place: Place) -> None:
    head = place.commit({"ciranda.toml": TOML})
    assert "not built yet" in place.push("refs/heads/main", NOTHING, head, "merge")["reason"]
    assert "no push option" in place.push("refs/heads/main", NOTHING, head, "mege")["reason"]
    assert "only an admin" in place.push("refs/heads/main", NOTHING, head, "accept-policy")["reason"]
    place.push("refs/heads/main", NOTHING, head, "accept-policy", admin=True)
    assert changes.unsettled(place.database)[0].accepts
