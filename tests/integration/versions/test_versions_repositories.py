"""Bare repositories through the real git."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.versions import repositories
from support.git import NOTHING, Clone, new_clone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "repositories"


@pytest.fixture
def work(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "work")


def put(work: Clone, repository: Path, *revisions: str) -> None:
    """Bring objects into a repository as a push would, without moving a ref."""
    packed = subprocess.run(
        ["git", "pack-objects", "--revs", "--stdout", "-q"],
        cwd=work.path,
        input="\n".join(revisions).encode(),
        capture_output=True,
        check=True,
    )
    subprocess.run(
        ["git", f"--git-dir={repository}", "index-pack", "--stdin"],
        input=packed.stdout,
        capture_output=True,
        check=True,
    )


def test_a_repository_is_made_once_with_settings_and_hooks(folder: Path) -> None:
    repository = repositories.ensure(folder, "flights")
    assert repository == folder / "flights.git"
    config = (repository / "config").read_text()
    for line in (
        "procReceiveRefs = refs/",
        "advertisePushOptions = true",
        "fsckObjects = true",
        "logAllRefUpdates = false",
        "auto = 0",
        "receivepack = true",
    ):
        assert line in config
    hook = repository / "hooks" / "proc-receive"
    assert os.access(hook, os.X_OK)
    assert f"CIRANDA_HOME='{folder.parent}'" in hook.read_text()
    before = hook.stat().st_mtime_ns
    assert repositories.ensure(folder, "flights") == repository
    assert hook.stat().st_mtime_ns == before
    assert repositories.names(folder) == ["flights"]
    assert sorted(entry.name for entry in folder.iterdir()) == ["flights.git"]


def test_hooks_and_settings_follow_a_newer_ciranda(folder: Path) -> None:
    repository = repositories.ensure(folder, "flights", window=("/old/python", "-m", "old"))
    (repository / "ciranda-settings").write_text("old")
    subprocess.run(["git", "config", "--file", repository / "config", "gc.auto", "7"], check=True)
    repositories.ensure(folder, "flights", window=("/new/it's python", "-m", "new"))
    assert "'/new/it'\\''s python' '-m' 'new' proc-receive" in (repository / "hooks" / "proc-receive").read_text()
    assert "auto = 0" in (repository / "config").read_text()


def test_two_who_make_it_at_once_get_the_same(folder: Path) -> None:
    made: list[Path] = []
    threads = [threading.Thread(target=lambda: made.append(repositories.ensure(folder, "flights"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [folder / "flights.git"] * 4
    assert [entry.name for entry in folder.iterdir()] == ["flights.git"]


@pytest.mark.parametrize("name", ["../evil", "api", "A", ""])
def test_a_bad_name_makes_nothing(folder: Path, name: str) -> None:
    with pytest.raises(errors.Invalid):
        repositories.ensure(folder, name)
    assert not folder.exists()


def test_refs_move_only_from_where_they_are(folder: Path, work: Clone) -> None:
    repository = repositories.ensure(folder, "flights")
    first, second = work.commit("First", {"a": "1"}), work.commit("Second", {"a": "2"})
    put(work, repository, "main")
    ref = "refs/heads/main"
    assert repositories.read_ref(repository, ref) is None
    assert not repositories.update_ref(repository, ref, second, first)
    assert repositories.update_ref(repository, ref, first, NOTHING)
    assert not repositories.update_ref(repository, ref, second, NOTHING)
    assert repositories.read_ref(repository, ref) == first
    assert repositories.update_ref(repository, ref, second, first)
    assert repositories.list_refs(repository) == {ref: second}
    assert not repositories.update_ref(repository, ref, NOTHING, first)
    assert repositories.update_ref(repository, ref, NOTHING, second)
    assert repositories.read_ref(repository, ref) is None


def test_a_ref_to_what_is_not_there_is_refused(folder: Path) -> None:
    repository = repositories.ensure(folder, "flights")
    with pytest.raises(errors.Refused, match="could not move refs/heads/main"):
        repositories.update_ref(repository, "refs/heads/main", "1" * 40, NOTHING)
    with pytest.raises(errors.Invalid):
        repositories.update_ref(repository, "refs/heads/main", "--stdin", NOTHING)


def test_change_refs_are_written_again_and_never_changed(folder: Path, work: Clone) -> None:
    repository = repositories.ensure(folder, "flights")
    first, second = work.commit("First", {"a": "1"}), work.commit("Second", {"a": "2"})
    put(work, repository, "main")
    assert repositories.write_change_ref(repository, 7, first) == "refs/changes/7"
    assert repositories.write_change_ref(repository, 7, first) == "refs/changes/7"
    with pytest.raises(errors.Stale):
        repositories.write_change_ref(repository, 7, second)
    assert repositories.list_refs(repository, "refs/changes/") == {"refs/changes/7": first}


def test_a_branch_below_a_branch_is_refused_with_gits_reason(folder: Path, work: Clone) -> None:
    repository = repositories.ensure(folder, "flights")
    head = work.commit("First", {"a": "1"})
    put(work, repository, "main")
    assert repositories.update_ref(repository, "refs/heads/main", head, NOTHING)
    with pytest.raises(errors.Refused, match=r"could not move refs/heads/main/sub: .*refs/heads/main"):
        repositories.update_ref(repository, "refs/heads/main/sub", head, NOTHING)


def test_the_lock_of_a_killed_git_does_not_stay(folder: Path, work: Clone) -> None:
    repository = repositories.ensure(folder, "flights")
    first, second = work.commit("First", {"a": "1"}), work.commit("Second", {"a": "2"})
    put(work, repository, "main")
    assert repositories.update_ref(repository, "refs/heads/main", first, NOTHING)
    locks = [repository / "refs" / "heads" / "main.lock", repository / "HEAD.lock"]
    for lock in locks:
        lock.write_text("")
        os.utime(lock, (time.time() - 60, time.time() - 60))
    assert repositories.update_ref(repository, "refs/heads/main", second, first)
    assert not any(lock.exists() for lock in locks)


def test_the_lock_of_a_git_that_works_is_left_alone(folder: Path, work: Clone) -> None:
    repository = repositories.ensure(folder, "flights")
    first = work.commit("First", {"a": "1"})
    put(work, repository, "main")
    lock = repository / "refs" / "heads" / "main.lock"
    lock.write_text("")
    with pytest.raises(errors.Refused, match="could not move"):
        repositories.update_ref(repository, "refs/heads/main", first, NOTHING)
    assert lock.exists()


def test_ancestry_and_facts(folder: Path, work: Clone) -> None:
    repository = repositories.ensure(folder, "flights")
    first = work.commit("First\n\nwith a body", {"a": "1"})
    second = work.commit("Ação ✓", {"a": "2"})
    put(work, repository, "main")
    assert repositories.is_ancestor(repository, first, second)
    assert repositories.is_ancestor(repository, first, first)
    assert not repositories.is_ancestor(repository, second, first)
    with pytest.raises(errors.NotFound):
        repositories.is_ancestor(repository, "1" * 40, first)
    found = repositories.commit(repository, second)
    assert (found.subject, found.author, found.email, found.parents) == ("Ação ✓", "Ana", "ana@example.org", (first,))
    assert found.tree == work.git("rev-parse", "HEAD^{tree}").stdout.strip()
    assert abs(found.at - time.time()) < 60
    with pytest.raises(errors.NotFound):
        repositories.commit(repository, "1" * 40)
    assert repositories.object_kind(repository, second) == "commit"
    assert repositories.object_kind(repository, found.tree) == "tree"
    assert repositories.object_kind(repository, "1" * 40) is None


def test_nothing_of_the_users_configuration_counts(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "user"
    home.mkdir()
    (home / ".gitconfig").write_text(
        "[init]\n defaultBranch = trunk\n templateDir = /nowhere\n[core]\n hooksPath = /evil\n[broken\n"
    )
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.bare=false'")
    repository = repositories.ensure(folder, "flights")
    assert (repository / "HEAD").read_text() == "ref: refs/heads/main\n"
    repositories.set_head(repository, "refs/heads/trunk")
    assert (repository / "HEAD").read_text() == "ref: refs/heads/trunk\n"


@pytest.mark.parametrize("names", ["flights.git/objects/tmp_objdir-incoming-{}", ".new-{}"])
def test_what_was_killed_long_ago_is_swept(folder: Path, names: str) -> None:
    repositories.ensure(folder, "flights")
    old, young = folder / names.format("a"), folder / names.format("b")
    for left in (old, young):
        (left / "pack").mkdir(parents=True)
    os.utime(old, (time.time() - 4000, time.time() - 4000))
    repositories.sweep(folder)
    assert not old.exists()
    assert young.exists()


def test_a_repository_that_is_gone_is_refused_with_gits_reason(folder: Path, work: Clone) -> None:
    gone = repositories.path(folder, "gone")
    with pytest.raises(errors.Refused, match="not a git repository") as caught:
        repositories.list_refs(gone, "refs/heads")
    assert caught.value.where == str(gone)
