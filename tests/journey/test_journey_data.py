"""Data that Git does not carry, with the installed command line: a folder outside of the tree, and large files beside it."""

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from support import project as projects
from support import server
from support.server import Server

# The project of the other journeys, of several files.
SEVERAL = "from pathlib import Path\n" + dedent(server.PIPELINE).replace("numbers: str", "numbers: list[Path]").replace(
    "numbers.split()", "[word for path in numbers for word in path.read_text().split()]"
)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with server.up(tmp_path_factory.mktemp("server")) as started:
        yield started


def test_new_files_outside_of_the_tree_become_a_release_or_are_refused(up: Server) -> None:
    outside = up.folder / "outside"
    outside.mkdir()
    (outside / "a.txt").write_text("1\n2\n3\n")
    toy = up.project("stock", pipeline=SEVERAL)
    toy.edit("ciranda.toml", "data/*.txt", f"{outside}/*.txt")
    commit = toy.commit("what lies elsewhere")
    toy.ciranda("run").succeeds()
    up.push(toy).succeeds()
    assert up.ask("/stock/prod/mean/", {"x": 1}).json == 5.0
    assert "nothing new: numbers (1 file)" in toy.ciranda("run", "--refresh").succeeds().out

    (outside / "b.txt").write_text("8\n10\n")
    taken = toy.ciranda("run", "--refresh").succeeds().out
    assert f"stock {commit[:7]}  New data: numbers" in taken
    assert "release" in taken
    assert "r2" in taken
    answer = up.ask("/stock/prod/mean/", {"x": 1})
    assert answer.headers["x-ciranda-release"] == "r2"
    assert answer.json != 5.0
    assert up.head(toy) == commit

    back = toy.ciranda("rollback", "prod").succeeds().out
    assert "r2 is the same commit with other data" in back
    assert "git revert" not in back
    assert up.ask("/stock/prod/mean/", {"x": 1}).json == 5.0
    assert "traceable, not replayable: numbers is not kept" in toy.ciranda("plan", "r2", "-e", "prod").out
    toy.ciranda("promote", "r2", "-e", "prod").fails()
    toy.ciranda("hold", "prod", "--release").succeeds()
    toy.ciranda("promote", "r2", "-e", "prod").succeeds()
    toy.ciranda("wait", "r2", "-e", "prod").succeeds()

    (outside / "c.txt").write_text("-7\n")
    refused = toy.ciranda("run", "--refresh", "--json").fails().json
    assert refused["state"] == "refused"
    told = "\n".join(refused["lines"])
    assert "positive: 1 of 6 rows" in told
    assert "-14" in told
    assert "the data stays as it was" in told
    assert up.ask("/stock/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r2"

    toy.write({"notes.md": "a push is judged on what main last passed with\n"})
    toy.commit("a note")
    up.push(toy).succeeds()
    assert up.ask("/stock/prod/mean/", {"x": 1}).json == answer.json


def test_large_files_go_to_the_server_and_to_a_clone_with_another_home(up: Server, tmp_path: Path) -> None:
    toy = up.project("large")
    toy.git("rm", "-q", "--cached", "data/numbers.txt").succeeds()
    toy.write({"data/numbers.txt": "1\n" * 60_000})
    toy.ciranda("data", "add", "data/numbers.txt").succeeds()
    toy.commit("beside Git")
    assert "large" in toy.ciranda("run", "--json").succeeds().json["project"]
    assert "nothing to send: the server of this home" in toy.ciranda("data", "push").succeeds().out
    up.push(toy).succeeds()

    clone = projects.Project(tmp_path / "clone", tmp_path / "home", up.variables)
    clone.root.mkdir()
    url = f"{up.said['url']}/git/large.git"
    helper = f'!f() {{ echo username=ada; echo "password=$(cat {up.home}/token)"; }}; f'
    clone.git("init", "-q", "-b", "main").succeeds()
    clone.git("config", f"credential.{up.said['url']}.helper", helper).succeeds()
    clone.git("remote", "add", "ciranda", url).succeeds()
    clone.git("pull", "-q", "ciranda", "main").succeeds()
    assert "data pull" in clone.ciranda("run").fails().err
    assert "1 file fetched" in clone.ciranda("data", "pull").succeeds().out
    clone.ciranda("run").succeeds()

    clone.write({"data/numbers.txt": "2\n" * 60_000})
    assert json.loads(clone.ciranda("data", "status", "--json").fails().out)["files"][0]["state"] == "changed"
    clone.ciranda("data", "add", "data/numbers.txt").succeeds()
    clone.commit("other data")
    refused = clone.git("push", "ciranda", "main").fails().err
    assert "the server does not have data/numbers.txt" in refused
    assert "ciranda data push" in refused
    clone.ciranda("data", "push").succeeds()
    assert "nothing to send" in clone.ciranda("data", "push").succeeds().out
    clone.git("push", "ciranda", "main").succeeds()
    assert up.ask("/large/prod/mean/", {"x": 1}).headers["x-ciranda-release"] == "r2"
