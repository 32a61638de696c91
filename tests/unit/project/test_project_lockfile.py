"""The lock of large files: one canonical text, and everything else refused with what is wrong."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ciranda.kernel import errors
from ciranda.project import lockfile
from ciranda.project.lockfile import Locked

DIGEST = "b3:" + "0a" * 32
names = some.from_regex(r"[a-z]{1,3}(/[a-zé ]{1,3}){0,2}\.x", fullmatch=True)


@given(some.dictionaries(names, some.integers(0, 1 << 40)))
def test_what_is_written_is_read_again_and_a_file_is_a_line(sizes: dict[str, int]) -> None:
    files = {path: Locked(DIGEST, size) for path, size in sizes.items()}
    text = lockfile.text(files)
    assert lockfile.parse(text.encode()) == files
    assert len([line for line in text.splitlines() if DIGEST in line]) == len(files)
    assert lockfile.text(dict(reversed(files.items()))) == text


def test_without_a_lock_there_are_no_files(tmp_path: Path) -> None:
    assert lockfile.read(tmp_path) == {}


def lock(files: object) -> bytes:
    return json.dumps({"format": lockfile.FORMAT, "files": files}).encode()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"<<<<<<< HEAD\n{}", "merge conflict"),
        (b'{"format": "ciranda.lock/2", "files": {}}', "not a lock that this Ciranda reads"),
        (b'{"format": "ciranda.lock/1", "format": "ciranda.lock/1", "files": {}}', "format is there twice"),
        (lock([]), "not a lock"),
        (lock({"../a": {"digest": DIGEST, "size": 1}}), "not a path inside"),
        (lock({"/a": {"digest": DIGEST, "size": 1}}), "not a path inside"),
        (lock({".git/config": {"digest": DIGEST, "size": 1}}), "not a path inside"),
        (lock({"a\nb": {"digest": DIGEST, "size": 1}}), "not a path inside"),
        (lock({"ciranda.lock": {"digest": DIGEST, "size": 1}}), "not a path inside"),
        (lock({"a": {"digest": "b3:1", "size": 1}}), "not a digest and a size"),
        (lock({"a": {"digest": DIGEST, "size": -1}}), "not a digest and a size"),
        (lock({"a": {"digest": DIGEST, "size": 1, "more": 1}}), "not a digest and a size"),
        (lock({"a": {"digest": DIGEST, "size": 1}, "a/b": {"digest": DIGEST, "size": 1}}), "below what is a file"),
    ],
)
def test_what_is_no_lock_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(errors.Invalid, match=what) as caught:
        lockfile.parse(data)
    assert caught.value.where == "ciranda.lock"
