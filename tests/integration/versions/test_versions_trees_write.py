"""Trees written from real Git objects: whole, exact, and never outside."""

import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from ciranda.kernel import errors
from ciranda.versions import trees
from support.git import Clone, new_clone


@pytest.fixture
def work(tmp_path: Path) -> Clone:
    return new_clone(tmp_path / "work")


def git_dir(work: Clone) -> Path:
    return work.path / ".git"


def written(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def raw_commit(work: Clone, entries: list[tuple[str, bytes, bytes]]) -> str:
    """A commit of a tree that no porcelain would write: (mode, name, object or content)."""
    tree = b""
    for mode, name, content in entries:
        oid = content if len(content) == 40 else git_object(work, "blob", content)
        tree += mode.encode() + b" " + name + b"\0" + bytes.fromhex(oid.decode())
    oid = git_object(work, "tree", tree)
    return work.git("commit-tree", "-m", "raw", oid.decode()).stdout.strip()


def git_object(work: Clone, kind: str, content: bytes) -> bytes:
    argv = ["git", "hash-object", "-w", "--literally", "-t", kind, "--stdin"]
    return subprocess.run(argv, cwd=work.path, input=content, capture_output=True, check=True).stdout.strip()


def test_a_tree_is_written_as_it_was_committed(work: Clone, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "pipeline.py": "x = 1\n",
        "deep/er/and/deeper.bin": bytes(range(256)) * 1000,
        "empty": b"",
        "odd name\nwith\ttabs ✓": "odd",
        "-rf": "dash",
        "crlf.txt": b"a\nb\n",
        "*": "star",
        ".gitattributes": "*.txt text eol=crlf\n* filter=evil export-ignore\n",
    }
    work.write(files)
    (work.path / "run.sh").write_text("#!/bin/sh\n")
    (work.path / "run.sh").chmod(0o755)
    os.symlink("er/and/deeper.bin", work.path / "deep" / "link")
    os.symlink("../pipeline.py", work.path / "deep" / "up")
    work.git("config", "filter.evil.smudge", "touch /tmp/never-run; cat")
    commit = work.commit("Odd names")
    trees.write(git_dir(work), commit, tmp_path / "out")
    found = written(tmp_path / "out")
    assert found == {
        name: content.encode() if isinstance(content, str) else content for name, content in files.items()
    } | {"run.sh": b"#!/bin/sh\n"}
    assert stat.S_IMODE((tmp_path / "out" / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "out" / "empty").stat().st_mode) == 0o644
    assert os.readlink(tmp_path / "out" / "deep" / "link") == "er/and/deeper.bin"
    assert (tmp_path / "out" / "deep" / "up").read_text() == "x = 1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "work"]


def test_what_is_skipped_is_not_there(work: Clone, tmp_path: Path) -> None:
    commit = work.commit("Data", {"data/a.csv": "1", "data/b.csv": "2", "data/readme.md": "3", "x.py": "4"})
    trees.write(git_dir(work), commit, tmp_path / "out", skip=["data/*.csv"])
    assert set(written(tmp_path / "out")) == {"data/readme.md", "x.py"}
    trees.write(git_dir(work), commit, tmp_path / "other", skip=["data"])
    assert set(written(tmp_path / "other")) == {"x.py"}
    assert not (tmp_path / "other" / "data").exists()


def test_an_empty_folder_may_be_there_and_nothing_else(work: Clone, tmp_path: Path) -> None:
    commit = work.commit("One", {"a": "1"})
    (tmp_path / "empty").mkdir()
    trees.write(git_dir(work), commit, tmp_path / "empty")
    assert written(tmp_path / "empty") == {"a": b"1"}
    with pytest.raises(errors.Refused, match="already there"):
        trees.write(git_dir(work), commit, tmp_path / "empty")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(errors.Refused, match="already there"):
        trees.write(git_dir(work), commit, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "work"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "..", "deep/../../x"])
def test_a_link_out_of_the_tree_is_refused_and_nothing_stays(work: Clone, tmp_path: Path, target: str) -> None:
    work.write({"a": "1"})
    os.symlink(target, work.path / "link")
    commit = work.commit("Escape")
    with pytest.raises(errors.Invalid, match="leaves the tree"):
        trees.write(git_dir(work), commit, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_a_submodule_is_refused(work: Clone, tmp_path: Path) -> None:
    work.commit("One", {"a": "1"})
    work.git("update-index", "--add", "--cacheinfo", f"160000,{work.head()},vendor/lib")
    work.git("commit", "-q", "-m", "Submodule")
    with pytest.raises(errors.Invalid, match="vendor/lib is a submodule"):
        trees.write(git_dir(work), work.head(), tmp_path / "out")
    trees.write(git_dir(work), work.head(), tmp_path / "without", skip=["vendor"])
    assert written(tmp_path / "without") == {"a": b"1"}


@pytest.mark.parametrize("name", [b".git", b".GIT", b"..", b".", b"git~1", b".g\xe2\x80\x8cit"])
def test_a_tree_that_names_gits_own_is_refused(work: Clone, tmp_path: Path, name: bytes) -> None:
    commit = raw_commit(work, [("100644", b"a", b"fine"), ("100644", name, b"evil")])
    with pytest.raises(errors.Invalid):
        trees.write(git_dir(work), commit, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_a_file_through_a_link_is_refused(work: Clone, tmp_path: Path) -> None:
    inner = git_object(work, "tree", b"100644 evil\0" + bytes.fromhex(git_object(work, "blob", b"evil").decode()))
    commit = raw_commit(work, [("120000", b"d", b"elsewhere"), ("40000", b"d", inner)])
    with pytest.raises(errors.Invalid):
        trees.write(git_dir(work), commit, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


def test_names_that_are_not_utf8_are_kept(work: Clone, tmp_path: Path) -> None:
    commit = raw_commit(work, [("100644", b"caf\xe9", b"latin")])
    trees.write(git_dir(work), commit, tmp_path / "out")
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"caf\xe9"]


def test_a_missing_object_is_corruption_by_name(work: Clone, tmp_path: Path) -> None:
    commit = work.commit("One", {"a": "content of a", "b": "content of b"})
    blob = work.git("rev-parse", "HEAD:b").stdout.strip()
    (git_dir(work) / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(errors.Corrupt, match="not whole"):
        trees.write(git_dir(work), commit, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


@pytest.mark.parametrize("commit", ["1" * 40, "HEAD", "--help"])
def test_what_is_no_commit(work: Clone, tmp_path: Path, commit: str) -> None:
    work.commit("One", {"a": "1"})
    with pytest.raises(errors.Refused):
        trees.write(git_dir(work), commit, tmp_path / "out")


def test_one_file_is_read_without_a_tree(work: Clone) -> None:
    work.write({"ciranda.toml": "[project]\n", "d/e": "x", ":(glob)*": "literal"})
    os.symlink("ciranda.toml", work.path / "link")
    commit = work.commit("One")
    assert trees.read_file(git_dir(work), commit, "ciranda.toml") == b"[project]\n"
    assert trees.read_file(git_dir(work), commit, "d/e") == b"x"
    assert trees.read_file(git_dir(work), commit, ":(glob)*") == b"literal"
    for path in ("d", "link", "nothing", "ciranda.toml/x", "*", "../work/ciranda.toml"):
        assert trees.read_file(git_dir(work), commit, path) is None, path
    with pytest.raises(errors.NotFound):
        trees.read_file(git_dir(work), "1" * 40, "ciranda.toml")


def test_the_listing_has_sizes(work: Clone) -> None:
    commit = work.commit("One", {"a": "12345", "d/b": ""})
    listed = trees.listing(git_dir(work), commit)
    assert {path: (entry.mode, entry.size) for path, entry in listed.items()} == {
        "a": ("100644", 5),
        "d/b": ("100644", 0),
    }
    assert listed["a"].blob == work.git("rev-parse", "HEAD:a").stdout.strip()


def test_many_small_files_and_a_few_large_ones_are_quick(work: Clone, tmp_path: Path) -> None:
    work.write({f"many/{index % 50}/{index}.txt": f"{index}" for index in range(5000)})
    work.write({f"large/{index}": os.urandom(2_500_000) for index in range(12)})
    commit = work.commit("Much")
    started = time.monotonic()
    trees.write(git_dir(work), commit, tmp_path / "out")
    took = time.monotonic() - started
    assert sum(1 for _ in (tmp_path / "out").rglob("*.txt")) == 5000
    assert took < 10
    shutil.rmtree(tmp_path / "out")
