"""A real small file system that is full: every write says so, nothing half-written is seen, and all goes on after it."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ciranda.access import tokens
from ciranda.kernel import database, digest, errors, events, files, lines, migrations, tasks
from ciranda.kernel.store import INLINE, Store

LARGE = 200_000


@pytest.fixture(params=["tmpfs", "ext4", "ext4 of small blocks"])
def disk(request: pytest.FixtureRequest, short_path: Path) -> Iterator[Path]:
    """A mounted file system of a megabyte or three."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    path = short_path / "disk"
    path.mkdir()
    if request.param == "tmpfs":
        command: list[str | Path] = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path]
    else:
        image = short_path / "image"
        with image.open("wb") as file:
            file.truncate(3 << 20)
        block = "4096" if request.param == "ext4" else "1024"
        subprocess.run(["mkfs.ext4", "-q", "-O", "^has_journal", "-m", "0", "-b", block, image], check=True)
        command = ["mount", "-o", "loop", image, path]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no {request.param} can be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)  # lazily: a failed test may still hold a file


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Use up the room of a disk, but for some bytes."""
    path = disk / "fill"
    with path.open("wb", buffering=0) as file:
        with suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        with suppress(OSError):
            while True:
                file.write(b"x")
        if leave:
            file.truncate(file.tell() - leave)
    return path


def everything_in(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def small(store: Store, number: int) -> Any:
    return store.put(b"%d" % number * 6000)


def large(store: Store, number: int) -> Any:
    return store.put(b"%d" % number * LARGE)


def copied(store: Store, number: int) -> Any:
    path = Path(f"/tmp/ciranda-copied-{os.getpid()}")
    path.write_bytes(b"%d" % number * LARGE)
    try:
        return store.put_file(path)
    finally:
        path.unlink()


@pytest.mark.parametrize("put", [small, large, copied])
@pytest.mark.parametrize("leave", [0, 3000, 9000])
def test_the_store(disk: Path, put: Callable[[Store, int], str], leave: int) -> None:
    root = disk / "store"
    store = Store(root)
    before = put(store, 1)
    full = fill(disk, leave=leave)
    kept = None
    with pytest.raises(errors.StorageFull) as raised:  # noqa: PT012 - the first one or two may still fit
        for number in (2, 3, 4, 5):
            kept = put(store, number)
    assert str(root) in raised.value.where
    assert "df" in raised.value.hint
    assert list((root / "tmp").glob("*")) == []
    for reader in (store, Store(root)):
        assert len(reader.get(before)) > 0
        assert kept is None or reader.get(kept)
        for path in (root / "objects").glob("*/*"):
            assert digest.of_file(path) == f"b3:{path.parent.name}{path.name}"
    full.unlink()
    for writer in (store, Store(root)):
        assert len(writer.get(put(writer, 5))) > 0
    assert len(Store(root).get(put(store, 5))) > 0


def test_a_batch(disk: Path) -> None:
    store = Store(disk / "store")
    store.put(b"before")
    full = fill(disk)
    names = []
    with pytest.raises(errors.StorageFull), store.batch():
        names += [store.put(b"%d" % number * 100) for number in range(100)]
    assert not any(store.has(name) or Store(disk / "store").has(name) for name in names)
    full.unlink()
    with store.batch():
        assert [store.put(b"%d" % number * 100) for number in range(100)] == names
    assert all(Store(disk / "store").has(name) for name in names)


def test_an_export(disk: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_bytes(b"a" * INLINE)
    (source / "b").write_bytes(b"b" * LARGE)
    name = store.put_file(source)
    full = fill(disk, leave=INLINE + 20_000)
    with pytest.raises(errors.StorageFull):
        store.export(name, disk / "out")
    assert [path.name for path in disk.iterdir() if path.name != "lost+found"] == ["fill"]
    full.unlink()
    store.export(name, disk / "out")
    assert everything_in(disk / "out") == everything_in(source)


@pytest.fixture
def ledger(disk: Path, short_path: Path) -> Iterator[database.Database]:
    (short_path / "sockets").mkdir()
    one = database.open(f"sqlite:///{disk}/ledger.db", short_path / "sockets")
    yield one
    one.close()


def note(db: database.Database, text: str) -> int:
    return db.write(
        lambda tx: events.append(tx, chain="full", kind="noted", subject="s", actor="a", body={"text": text})
    )


def test_the_ledger(disk: Path, ledger: database.Database, short_path: Path) -> None:
    migrations.migrate(ledger, ["ciranda.kernel"])
    note(ledger, "before")
    full = fill(disk)
    kept = 1
    with pytest.raises(errors.StorageFull) as raised:  # noqa: PT012 - the log may have some room left
        for _ in range(100):
            note(ledger, "x" * 50_000)
            kept += 1
    assert str(disk) in raised.value.where
    assert events.verify(ledger, "full") == kept
    with pytest.raises(errors.StorageFull):
        note(ledger, "y" * 50_000)
    reader = database.open(f"sqlite:///{disk}/ledger.db", short_path / "sockets")
    assert events.verify(reader, "full") == kept
    reader.close()
    full.unlink()
    note(ledger, "after")
    assert events.verify(ledger, "full") == kept + 1
    writer = database.open(f"sqlite:///{disk}/ledger.db", short_path / "sockets")
    note(writer, "elsewhere")
    writer.close()
    assert events.verify(ledger, "full") == kept + 2


def test_a_group_in_the_ledger(disk: Path, ledger: database.Database) -> None:
    """When the disk is full everybody in the transaction is told, and it can be done again."""
    migrations.migrate(ledger, ["ciranda.kernel"])
    full = fill(disk)
    futures = [
        ledger.submit(lambda tx, n=n: tasks.put(tx, kind="k", subject=f"{n}", body={"fill": "x" * 40_000}))  # type: ignore[misc]
        for n in range(40)
    ]
    ends = [future.exception() for future in futures]
    assert any(ends)
    assert all(end is None or isinstance(end, errors.StorageFull) for end in ends), ends
    full.unlink()
    assert len(ledger.query("SELECT id FROM task")) == sum(end is None for end in ends)
    for n in range(3):
        ledger.write(lambda tx, n=n: tasks.put(tx, kind="k", subject=f"{n}", body={}))  # type: ignore[misc]


def test_a_ledger_that_cannot_begin(disk: Path, ledger: database.Database) -> None:
    full = fill(disk)
    with pytest.raises(errors.StorageFull):
        migrations.migrate(ledger, ["ciranda.kernel"])
    full.unlink()
    migrations.migrate(ledger, ["ciranda.kernel"])
    note(ledger, "after")


def test_no_ledger_opens_on_a_full_disk_for_the_first_time_in_a_process(disk: Path, short_path: Path) -> None:
    """The files beside the database are made anew by the first who opens it: there must be an error, not a signal."""
    url = f"sqlite:///{disk}/ledger.db"
    (short_path / "sockets").mkdir()
    one = database.open(url, short_path / "sockets")
    migrations.migrate(one, ["ciranda.kernel"])
    note(one, "before")
    one.close()
    full = fill(disk)
    two = database.open(url, short_path / "sockets")
    for act in (lambda: two.query("SELECT seq FROM event"), lambda: note(two, "x" * 100_000)):
        with suppress(errors.StorageFull):
            act()
    full.unlink()
    note(two, "after")
    assert events.verify(two, "full") >= 2
    two.close()


def test_files_and_lines(disk: Path) -> None:
    files.write_atomic(disk / "state", b"old" * 10_000)
    lines.Lines(disk / "lines").append({"n": 1})
    full = fill(disk, leave=100)
    with pytest.raises(errors.StorageFull):
        files.write_atomic(disk / "state", b"new" * 10_000)
    with pytest.raises(errors.StorageFull):
        lines.Lines(disk / "lines").append({"n": 2, "fill": "x" * 20_000})
    assert (disk / "state").read_bytes() == b"old" * 10_000
    assert {path.name for path in disk.iterdir()} - {"lost+found"} == {"state", "lines", "fill"}
    full.unlink()
    files.write_atomic(disk / "state", b"new" * 10_000)
    lines.Lines(disk / "lines").append({"n": 3})
    assert list(lines.follow(disk / "lines", stop=lambda: True, wait=lambda _: None)) == [{"n": 1}, {"n": 3}]


def test_the_first_token(disk: Path, ledger: database.Database) -> None:
    migrations.migrate(ledger, ["ciranda.kernel", "ciranda.access"])
    full = fill(disk)
    with suppress(errors.StorageFull):
        tokens.first_token(ledger, disk / "token")
    full.unlink()
    tokens.first_token(ledger, disk / "token")
    assert tokens.find(ledger, (disk / "token").read_text().strip()) is not None


def test_a_disk_that_can_only_be_read(disk: Path, ledger: database.Database, short_path: Path) -> None:
    migrations.migrate(ledger, ["ciranda.kernel"])
    store = Store(disk / "store")
    name, big = store.put(b"x"), store.put(b"y" * LARGE)
    files.write_atomic(disk / "state", b"old")
    ledger.close()
    del store  # with the pack that it may append to
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    try:
        reader = Store(disk / "store")
        assert (reader.get(name), len(reader.get(big))) == (b"x", LARGE)
        for act in (
            lambda: reader.put(b"z"),
            lambda: reader.put(b"z" * LARGE),
            lambda: files.write_atomic(disk / "state", b"new"),
            lambda: lines.Lines(disk / "lines").append({}),
        ):
            with pytest.raises(errors.StorageFull, match="only be read"):
                act()
        other = database.open(f"sqlite:///{disk}/ledger.db", short_path / "sockets")
        with pytest.raises(errors.StorageFull):
            note(other, "x")
        with suppress(sqlite3.OperationalError, errors.CirandaError):
            other.query("SELECT seq FROM event")
        other.close()
    finally:
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
    assert Store(disk / "store").put(b"z")
