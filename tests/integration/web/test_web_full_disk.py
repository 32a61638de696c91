"""Pushes, refs and trees on a real file system that is full."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.versions import repositories, trees
from support.git import NOTHING, new_clone, served

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
MEGABYTE = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    yield path
    subprocess.run(["umount", "-l", path], check=True)  # lazily: a failed test may still hold a file


def fill(path: Path) -> Path:
    """Leave no byte free."""
    filler = path / "filler"
    with open(filler, "wb", buffering=0) as file:
        for size in (1 << 16, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return filler


def test_a_push_that_does_not_fit_is_refused_and_leaves_nothing(small: Path, tmp_path: Path) -> None:
    with served(small / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        first = work.commit("Small", {"a": "1"})
        work.git("push", "ciranda", "main")
        work.commit("Large", {"large": os.urandom(5 * MEGABYTE)})
        done = work.git("push", "ciranda", "main", check=False)
        assert done.returncode != 0
        assert "No space left on device" in done.stderr
        assert work.git("ls-remote", "ciranda", "refs/heads/main").stdout.split()[0] == first
        assert list((web.home.repositories / "flights.git" / "objects").glob("tmp_objdir*")) == []
        work.git("reset", "-q", "--hard", first)
        work.commit("Small again", {"a": "2"})
        work.git("push", "ciranda", "main")


def test_a_repository_that_cannot_be_made(small: Path) -> None:
    filler = fill(small)
    with pytest.raises(errors.StorageFull):
        repositories.ensure(small / "repositories", "flights")
    filler.unlink()
    repository = repositories.ensure(small / "repositories", "flights")
    assert repositories.list_refs(repository) == {}
    assert [entry.name for entry in (small / "repositories").iterdir()] == ["flights.git"]


def test_a_ref_that_cannot_be_moved_stays(small: Path, tmp_path: Path) -> None:
    repository = repositories.ensure(small / "repositories", "flights")
    work = new_clone(tmp_path / "work")
    first = work.commit("One", {"a": "1"})
    second = work.commit("Two", {"a": "2"})
    shutil.copytree(work.path / ".git" / "objects", repository / "objects", dirs_exist_ok=True)
    assert repositories.update_ref(repository, "refs/heads/main", first, NOTHING)
    filler = fill(small)
    with pytest.raises(errors.CirandaError):
        repositories.update_ref(repository, "refs/heads/main", second, first)
    assert repositories.read_ref(repository, "refs/heads/main") == first
    filler.unlink()
    assert repositories.update_ref(repository, "refs/heads/main", second, first)


def test_a_tree_that_does_not_fit_is_not_there_at_all(small: Path, tmp_path: Path) -> None:
    work = new_clone(tmp_path / "work")
    commit = work.commit("Large", {"a": "1", "b/large": os.urandom(5 * MEGABYTE)})
    with pytest.raises(errors.StorageFull):
        trees.write(work.path / ".git", commit, small / "tree")
    assert list(small.iterdir()) == []
