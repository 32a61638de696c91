"""Files in memory: private, whole or not at all, swept."""

import os
from pathlib import Path

import pytest

from ciranda.kernel import volatile


def test_they_lie_in_memory_where_there_is_such_a_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    place = volatile.place(tmp_path, "secrets")
    assert place.is_relative_to("/dev/shm") or place == tmp_path / "state" / "secrets"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # a disk
    assert volatile.place(tmp_path, "secrets") == place


@pytest.mark.parametrize("where", ["memory", "state"])
def test_files_are_only_their_owners_and_go_when_they_are_swept(tmp_path: Path, where: str) -> None:
    (tmp_path / "state").mkdir()
    place = volatile.place(tmp_path, "secrets") if where == "memory" else tmp_path / "state" / "secrets"
    volatile.keep(place / "one", {"KEY": b"\0\xffvalue\n"})
    volatile.keep(place / "two", {})
    assert (place / "one" / "KEY").read_bytes() == b"\0\xffvalue\n"
    assert [path.stat().st_mode & 0o777 for path in (place / "one" / "KEY", place / "one", place)] == [
        0o400,
        0o700,
        0o700,
    ]
    with pytest.raises(OSError, match="exists"):
        volatile.keep(place / "one", {})
    volatile.sweep(place, {"one"})
    assert [path.name for path in place.iterdir()] == ["one"]
    volatile.sweep(place, ())
    assert not place.exists()
    volatile.sweep(place, ())


def test_what_cannot_be_written_whole_is_not_there(tmp_path: Path) -> None:
    place = tmp_path / "state" / "secrets"
    place.parent.mkdir()
    with pytest.raises(OSError, match="No such file"):
        volatile.keep(place / "one", {"A": b"a", "no/such/folder": b"b"})
    assert os.listdir(place) == []
