"""A backup that is not what it says of itself is refused in a line, and nothing is there afterwards."""

import copy
import gzip
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ciranda.app import backup, restoring
from ciranda.app import home as homes
from ciranda.kernel import errors, events

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def good(tmp_path: Path) -> Iterator[Path]:
    home = homes.Home(tmp_path / "home")
    homes.create(home, None)
    with homes.opened(home) as (database, store):
        database.write(lambda tx: events.append(tx, chain="toy", kind="config.set", subject="toy/prod", actor="ana"))
        store.put(b"x" * 100)
    made = tmp_path / "good.tar"
    backup.write(home, made, key=False, report=lambda _: None)
    yield made
    shutil.rmtree(home.sockets, ignore_errors=True)


def member(
    name: str, data: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> tuple[tarfile.TarInfo, bytes]:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, link
    return made, data if kind == tarfile.REGTYPE else b""


def facts(change: Callable[[dict[str, Any]], object]) -> Callable[[Members], Members]:
    def told(members: Members) -> Members:
        said = json.loads(members[0][1])
        change(said)
        return [(members[0][0], json.dumps(said).encode()), *members[1:]]

    return told


def bytes_of(name: str, data: bytes) -> Callable[[Members], Members]:
    return lambda members: [(one, data if one.name == name else held) for one, held in members]


def more(*added: tuple[tarfile.TarInfo, bytes]) -> Callable[[Members], Members]:
    return lambda members: [*members, *added]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (more(member("store/../../evil")), "does not belong"),
        (more(member("lines/../../evil.jsonl")), "does not belong"),
        (more(member("/etc/evil")), "does not belong"),
        (more(member("store")), "does not belong"),
        (more(member("lines/x.jsonl", kind=tarfile.SYMTYPE, link="/etc/passwd")), "no plain file"),
        (more(member("lines/x.jsonl", kind=tarfile.LNKTYPE, link="token")), "no plain file"),
        (more(member("lines/x.jsonl", kind=tarfile.CHRTYPE)), "no plain file"),
        (more(member("lines/x.jsonl"), member("lines/x.jsonl")), "twice"),
        (bytes_of("ledger/event.jsonl", b'{"nope":1}\n'), "not as they were"),
        (bytes_of("ledger/event.jsonl", b"[" * 100_000 + b"\n"), "not as they were"),
        (lambda members: [one for one in members if one[0].name != "ledger/event.jsonl"], "not in the backup"),
        (facts(lambda told: told.pop("tables")), "not whole"),
        (facts(lambda told: told["tables"].update(event=7)), "not whole"),
        (facts(lambda told: told["tables"].update({"event; --": told["tables"]["event"]})), "no such table"),
        (facts(lambda told: told.update(repositories={"../../x": {"refs": {}, "head": ""}})), "cannot be"),
        (facts(lambda told: told.update(repositories={"toy": {"refs": {}, "head": ""}})), "not in the backup"),
        (bytes_of(backup.FACTS, b"[1]"), "not a backup"),
        (bytes_of(backup.FACTS, b"[" * 100_000), "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_not_as_it_says_is_refused(good: Path, change: Callable[[Members], Members], said: str) -> None:
    with tarfile.open(good) as archive:
        members = [(copy.copy(one), held.read() if (held := archive.extractfile(one)) else b"") for one in archive]
    bad = good.with_name("bad.tar")
    with tarfile.open(bad, "w") as archive:
        for one, data in change(members):
            one.size = len(data)
            archive.addfile(one, io.BytesIO(data))
    refused(bad, said)


@pytest.mark.parametrize(
    "cut", [lambda data: data[: len(data) // 2], lambda data: data[:12], lambda _: b"no backup at all"]
)
def test_what_cannot_be_read_to_its_end_is_refused(good: Path, cut: Callable[[bytes], bytes]) -> None:
    bad = good.with_name("bad.tar.gz")
    bad.write_bytes(cut(gzip.compress(good.read_bytes())))
    refused(bad, "cannot be read|not a backup")


def test_a_folder_is_no_backup(tmp_path: Path) -> None:
    refused(tmp_path, "no such backup")


def refused(path: Path, said: str) -> None:
    place = path.parent / "restored" / "home"
    with pytest.raises(errors.CirandaError, match=said):
        restoring.restore(path, homes.Home(place), ledger=None, report=lambda _: None)
    assert list(place.parent.iterdir() if place.parent.exists() else ()) == []
    assert not (path.parent / "evil").exists()
