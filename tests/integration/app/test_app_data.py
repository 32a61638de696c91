"""Large files between two homes: added, sent, fetched, and never lost on the way."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ciranda.app import client, data
from ciranda.app import home as homes
from ciranda.kernel import database, errors
from ciranda.kernel.store import Store
from ciranda.project import lockfile
from support.git import Clone, Served, new_clone, served
from support.web import request

BIG = b"row\n" * 50_000


@dataclass
class Place:
    """A clone and the home of whoever works in it."""

    clone: Clone
    database: database.Database
    store: Store

    @property
    def folder(self) -> Path:
        return self.clone.path

    def add(self, *paths: str) -> list[str]:
        return [m.path for m in data.add(self.folder, self.store, [self.folder / p for p in paths], lambda _: None)]

    def push(self, server: client.Client | None) -> list[str]:
        return [moved.path for moved in data.push(self.folder, self.store, server, lambda _: None)]

    def pull(self, server: client.Client | None, **more: bool) -> list[str]:
        moved = data.pull(self.folder, self.database, self.store, server, lambda _: None, **more)
        return [each.path for each in moved]

    def states(self) -> dict[str, str]:
        return {file.path: file.state for file in data.look(self.folder, self.database, self.store)}


def place(folder: Path) -> Iterator[Place]:
    clone = new_clone(folder / "clone")
    clone.commit("First", {"ciranda.toml": '[project]\nname = "toy"\n', "kept.txt": "in Git"})
    home = homes.Home(folder / "home")
    homes.create(home)
    with homes.opened(home) as (opened, store):
        yield Place(clone, opened, store)


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Place]:
    yield from place(tmp_path / "mine")


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[Place]:
    yield from place(tmp_path / "theirs")


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Served]:
    with served(tmp_path / "server") as running:
        yield running


def api(web: Served, token: str = "developer") -> client.Client:
    return client.Client(f"http://127.0.0.1:{web.port}", token)


def test_a_file_goes_to_the_server_and_comes_back_elsewhere(mine: Place, theirs: Place, web: Served) -> None:
    mine.clone.write({"data/big.bin": BIG, "data/small [1].bin": b"x"})
    assert mine.add("data") == ["data/big.bin", "data/small [1].bin"]
    assert mine.add("data") == []
    assert mine.clone.git("status", "--porcelain").stdout.split() == ["??", ".gitignore", "??", "ciranda.lock"]
    assert mine.push(None) == []
    assert mine.push(api(web)) == ["data/big.bin", "data/small [1].bin"]
    assert mine.push(api(web)) == []

    theirs.clone.write({"ciranda.lock": (mine.folder / "ciranda.lock").read_bytes()})
    assert theirs.states() == {"data/big.bin": "missing", "data/small [1].bin": "missing"}
    assert theirs.pull(api(web)) == ["data/big.bin", "data/small [1].bin"]
    assert (theirs.folder / "data/big.bin").read_bytes() == BIG
    assert theirs.pull(api(web)) == []
    assert set(theirs.states().values()) == {"here"}


def test_what_is_written_over_a_fetched_file_does_not_reach_the_store(mine: Place) -> None:
    mine.clone.write({"big.bin": BIG})
    mine.add("big.bin")
    (mine.folder / "big.bin").unlink()
    mine.pull(None)
    with open(mine.folder / "big.bin", "r+b") as file:
        file.write(b"XXX")
    assert mine.states() == {"big.bin": "changed"}
    with pytest.raises(errors.Refused, match="was changed here") as caught:
        mine.pull(None)
    assert "ciranda data pull --force" in caught.value.hint
    assert mine.pull(None, force=True) == ["big.bin"]
    assert (mine.folder / "big.bin").read_bytes() == BIG


def test_what_git_tracks_and_what_lies_elsewhere_is_refused(mine: Place, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    (mine.folder / "link").symlink_to("kept.txt")
    for path, what in {
        "kept.txt": "Git tracks kept.txt", "nothing": "no such file", str(tmp_path / "outside"): "outside of the project",
        "link": "only regular files", ".": "name the files", "ciranda.toml": "belongs to Git",
    }.items():  # fmt: skip
        with pytest.raises(errors.Refused, match=what):
            mine.add(path)
    assert not (mine.folder / "ciranda.lock").exists()


def test_a_file_that_nobody_has_is_told_by_name(mine: Place, theirs: Place, web: Served) -> None:
    mine.clone.write({"big.bin": BIG})
    mine.add("big.bin")
    theirs.clone.write({"ciranda.lock": (mine.folder / "ciranda.lock").read_bytes()})
    with pytest.raises(errors.NotFound, match="not in the store"):
        theirs.pull(api(web))
    with pytest.raises(errors.NotFound, match=r"big\.bin is not here as ciranda\.lock says"):
        theirs.push(api(web))
    theirs.clone.write({"big.bin": BIG})
    assert theirs.push(api(web)) == ["big.bin"], "the file itself is as good as the store"


def test_bytes_that_are_not_what_they_are_called_are_not_kept(mine: Place, web: Served) -> None:
    mine.clone.write({"big.bin": BIG})
    mine.add("big.bin")
    name = lockfile.read(mine.folder)["big.bin"].digest[3:]
    path = f"/api/v1/objects/{name}"
    assert request(web.port, "PUT", path, token="developer", body=BIG[:-1]).status == 422
    assert request(web.port, "PUT", path, token="viewer", body=BIG).status == 403
    assert request(web.port, "PUT", "/api/v1/objects/x", token="developer", body=BIG).status == 422
    assert request(web.port, "GET", path, token="developer").status == 404
    assert not os.listdir(web.home.store / "tmp")
    assert request(web.port, "PUT", path, token="developer", body=BIG).json["size"] == len(BIG)
    assert request(web.port, "GET", path, token="developer").body == BIG
    assert request(web.port, "GET", path, token="viewer").status == 403
    assert request(web.port, "POST", "/api/v1/refresh", token="developer", body={"project": "toy"}).status == 200
    assert web.control.acts[-1] == ("refresh", "toy", "dev")
