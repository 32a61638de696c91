"""A home is backed up while it runs and pushes go on; what is restored from it is the same, runs and goes on by itself."""

import gzip
import json
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from support import project as projects
from support import secrets, server


def rows(home: Path) -> dict[str, int]:
    with closing(sqlite3.connect(home / "ledger.db")) as ledger:
        names = [name for (name,) in ledger.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: ledger.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in names}


@pytest.fixture(scope="module")
def backed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder with a backup of a home that ran while pushes came in, and what `status` said of it then."""
    folder = tmp_path_factory.mktemp("backup")
    with server.up(folder) as started:
        toy = started.project("toy")
        started.push(toy).succeeds()
        secrets.give(toy, "open sesame", "secret", "set", "DOOR_KEY", "-e", "prod").succeeds()
        toy.edit("pipeline.py", "2 * int", "3 * int")
        toy.commit("triple")
        started.push(toy).succeeds()
        said = toy.ciranda("status", "--json").succeeds().out
        (folder / "status.json").write_text(said)
        other = started.project("crowd", more='[checks]\ncode = ["true"]\n')
        pushing = other.start("git", "push", "ciranda", "main")
        made = toy.ciranda("backup", str(folder / "home.tar.gz"), "--json").succeeds().json
        assert "[new branch]" in pushing.communicate(timeout=60)[0]
        assert made["rows"] > 50
        assert not made["key"]
        toy.ciranda("backup", str(folder / "home.tar.gz")).fails()
        assert [path.name for path in folder.glob(".home*")] == []
    return folder, folder / "home.tar.gz"


def test_what_is_restored_runs_and_goes_on(backed: tuple[Path, Path]) -> None:
    folder, archive = backed
    restored = folder / "other" / "home"
    restored.parent.mkdir()
    seed = projects.Project(folder / "toy", restored)
    done = seed.ciranda("restore", str(archive), "--home", str(restored), "--json").succeeds().json
    assert (done["lost"], done["unbuilt"], done["locked"]) == ([], [], 1)
    assert done["events"] > 5
    assert done["objects"] >= 3
    shutil.copy2(folder / "home" / "secrets.key", restored)  # from where it was kept, as is told
    before = json.loads((folder / "status.json").read_text())
    with server.up(restored.parent) as started:
        server.eventually(
            lambda: started.ask("/toy/prod/mean/", {"x": 1.0}).headers.get("x-ciranda-release") == "r2", "r2 answers"
        )
        now = seed.ciranda("status", "--json").succeeds().json
        kept = ("name", "main", "owner")
        toy = [one for one in now["projects"] if one["name"] == "toy"]
        assert [{key: one.get(key) for key in kept} for one in toy] == [
            {key: one.get(key) for key in kept} for one in before["projects"]
        ]
        seed.git("remote", "set-url", "ciranda", f"{started.said['url']}/git/toy.git").succeeds()
        helper = f'!f() {{ echo username=ada; echo "password=$(cat {restored}/token)"; }}; f'
        seed.git("config", f"credential.{started.said['url']}.helper", helper).succeeds()
        seed.edit("pipeline.py", "3 * int", "4 * int")
        seed.commit("four times")
        assert "r3" in started.push(seed).succeeds().err
        assert seed.ciranda("rollback", "prod", "--timeout", "30").succeeds()


def test_a_home_with_something_in_it_is_left_alone(backed: tuple[Path, Path], tmp_path: Path) -> None:
    _, archive = backed
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").write_text("x")
    seed = projects.Project(tmp_path, tmp_path / "home")
    said = seed.ciranda("restore", str(archive)).fails()
    assert "something here already" in said.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "user"] == ["home"]


def test_a_backup_that_was_changed_or_cut_leaves_nothing(backed: tuple[Path, Path], tmp_path: Path) -> None:
    _, archive = backed
    seed = projects.Project(tmp_path, tmp_path / "home")
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    assert "cannot be read" in seed.ciranda("restore", str(cut)).fails().err
    plain = tmp_path / "changed.tar"
    plain.write_bytes(gzip.decompress(archive.read_bytes()))
    with tarfile.open(plain) as opened:
        event = opened.getmember("ledger/event.jsonl")
    data = plain.read_bytes()
    at = data.index(b"change.recorded", event.offset_data)
    plain.write_bytes(data[:at] + b"change.REcorded" + data[at + 15 :])
    assert "not as they were" in seed.ciranda("restore", str(plain)).fails().err
    (tmp_path / "no.tar").write_text("no archive")
    assert "cannot be read" in seed.ciranda("restore", str(tmp_path / "no.tar")).fails().err
    assert "no such backup" in seed.ciranda("restore", str(tmp_path / "gone.tar")).fails().err
    assert not (tmp_path / "home").exists()
    assert list(tmp_path.glob(".home*")) == []
