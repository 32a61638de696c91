"""Homes and projects are broken, each in its way, and the doctor names what is broken and the command that mends it."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from ciranda.app import home as homes
from ciranda.app.doctor import examination
from ciranda.app.doctor.findings import Finding
from ciranda.environment import secrets
from ciranda.kernel import clock, digest, process, sealing, sockets, tasks
from ciranda.pipeline import interpreters
from ciranda.service import children
from ciranda.versions import repositories
from support import pages
from support import project as projects

PIPELINE = "from ciranda import dataset\n\n@dataset\ndef doubled(raw: str) -> str:\n    return raw * 2\n"


def look(home: Path, folder: Path | None = None, *, deep: bool = False) -> examination.Examination:
    where = home.parent if folder is None else folder
    return examination.examine(homes.Home(home), where, deep=deep, report=lambda _: None)


def told(found: examination.Examination, said: str) -> Finding:
    """The one finding that says so and is not well; what was found, where there is none."""
    every = [one for part in found.parts for one in part.findings]
    matching = [one for one in every if said in one.what and one.level != "ok"]
    assert len(matching) == 1, f"{said!r} in\n" + "\n".join(f"{one.level} {one.what}" for one in every)
    assert matching[0].mend, f"nothing is said to mend: {matching[0]}"
    return matching[0]


def unwell(found: examination.Examination, part: str = "home") -> list[str]:
    return [one.what for each in found.parts if each.name == part for one in each.findings if one.level != "ok"]


@pytest.fixture
def site(short_path: Path) -> Iterator[pages.Filled]:
    """A home in which nothing is wrong: one release is live, its branch is where it should be."""
    with pages.filled(short_path / "home") as into:
        path = repositories.ensure(into.home.repositories, pages.PROJECT)
        tree = git(path, "hash-object", "-t", "tree", "-w", "--stdin")
        head = git(path, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", tree, "-m", "Begin")
        git(path, "update-ref", "refs/heads/main", head)
        into.land(1, "Begin")
        kept = into.store.put(b"an asset")
        content = pages.content(1)
        into.database.write(lambda tx: tx.execute("UPDATE change SET head = :head", head=head))
        own = interpreters.ensure(None, into.home.interpreters, lambda _: None)
        assets = {name: replace(asset, digest=kept) for name, asset in content.assets.items()}
        whole = replace(content, assets=assets, interpreter=own.digest)
        stored = into.store.put(whole.data)
        into.database.write(
            lambda tx: tx.execute(
                "UPDATE release SET digest = :digest, manifest = :kept", digest=whole.digest, kept=stored
            )
        )
        yield into


def git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(
        repositories.command(repository, *arguments), env=repositories.environment(repository), capture_output=True,
        text=True, stdin=subprocess.DEVNULL, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_where_there_is_nothing_nothing_is_wrong(short_path: Path) -> None:
    found = look(short_path / "none")
    assert [part.name for part in found.parts] == ["machine", "home"]
    assert unwell(found) == []
    assert not (short_path / "none").exists()
    (short_path / "other").mkdir()
    (short_path / "other" / "mine").touch()
    assert "other files" in told(look(short_path / "other"), "no home here").what


def test_a_whole_home_without_a_server(site: pages.Filled) -> None:
    before = everything(site.home.root)
    found = look(site.home.root, deep=True)
    assert unwell(found) == ["nothing is served: no server runs, and 2 environments should answer"]
    assert everything(site.home.root) == before, "nothing is written"
    assert found.document()["wrong"] == 1


def everything(root: Path) -> dict[str, int]:
    """Every file with its last change, but for what SQLite makes to read."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if "ledger.db" not in path.name and path.is_file()
    }


def private(site: pages.Filled) -> None:
    site.home.token.chmod(0o644)


def foreign_token(site: pages.Filled) -> None:
    site.home.token.write_text(f"cir_{'0' * 16}_{'0' * 64}\n")


def open_home(site: pages.Filled) -> None:
    site.home.root.chmod(0o755)


def other_format(site: pages.Filled) -> None:
    (site.home.root / "format").write_text("ciranda.home/9\n")


def former_format(site: pages.Filled) -> None:
    (site.home.root / "format").write_text(homes.FORMER[0])


def no_folder(site: pages.Filled) -> None:
    shutil.rmtree(site.home.lines)


def garbage(site: pages.Filled) -> None:
    no_ledger(site)
    (site.home.root / "ledger.db").write_bytes(b"\0rubbish" * 9000)


def no_ledger(site: pages.Filled) -> None:
    site.database.close()
    for path in site.home.root.glob("ledger.db*"):
        path.unlink()


def page_lost(site: pages.Filled) -> None:
    site.database.close()
    with closing(sqlite3.connect(site.home.root / "ledger.db")) as ledger:
        ledger.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = ledger.execute("SELECT rootpage FROM sqlite_master WHERE name = 'event_chain'").fetchone()
    with (site.home.root / "ledger.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


def no_table(site: pages.Filled) -> None:
    site.database.write(lambda tx: tx.execute("DROP TABLE migration"))


def lacking(site: pages.Filled) -> None:
    site.database.write(lambda tx: tx.execute("DELETE FROM migration WHERE room = 'ciranda.loop' AND number = 2"))


def event_changed(site: pages.Filled) -> None:
    site.database.write(lambda tx: tx.execute("UPDATE event SET actor = 'eve' WHERE seq = 2"))


def late_event(site: pages.Filled) -> None:
    ahead = clock.now_us() + 3_600_000_000
    site.database.write(lambda tx: tx.execute("UPDATE event SET at_us = :ahead WHERE seq = 1", ahead=ahead))


def dead_run(site: pages.Filled) -> None:
    gone = json.dumps({"pid": 1 << 22, "start": 1, "boot": "x"})
    site.database.write(lambda tx: tx.execute("UPDATE run SET state = 'running', process = :gone", gone=gone))


def waiting_task(site: pages.Filled) -> None:
    site.database.write(lambda tx: tasks.put(tx, kind="judge", subject="c1", body={}))
    tasks.claim(site.database, worker="4194304:1:x", kinds=["judge"], lease=60.0)


def given_up(site: pages.Filled) -> None:
    waiting_task(site)
    site.database.write(lambda tx: tx.execute("UPDATE task SET state = 'failed', attempts = 3"))


def branch_moved(site: pages.Filled) -> None:
    path = repositories.path(site.home.repositories, pages.PROJECT)
    tree = git(path, "hash-object", "-t", "tree", "-w", "--stdin")
    by_hand = git(path, "-c", "user.name=e", "-c", "user.email=e@b", "commit-tree", tree, "-m", "By hand")
    git(path, "update-ref", "refs/heads/main", by_hand)


def branch_lost(site: pages.Filled) -> None:
    git(repositories.path(site.home.repositories, pages.PROJECT), "update-ref", "-d", "refs/heads/main")


def no_repository(site: pages.Filled) -> None:
    shutil.rmtree(repositories.path(site.home.repositories, pages.PROJECT))


def git_damaged(site: pages.Filled) -> None:
    path = repositories.path(site.home.repositories, pages.PROJECT)
    tree = git(path, "rev-parse", "refs/heads/main^{tree}")
    (path / "objects" / tree[:2] / tree[2:]).unlink()


def no_interpreter(site: pages.Filled) -> None:
    shutil.rmtree(site.home.interpreters)
    site.home.interpreters.mkdir()


def asset_gone(site: pages.Filled) -> None:
    content = site.store.get(next(iter(site.database.query("SELECT manifest FROM release")))["manifest"])
    lost = content.replace(digest.digest("object", b"an asset").encode(), digest.digest("object", b"no").encode())
    whole = digest.digest("manifest", lost)
    site.database.write(
        lambda tx: tx.execute(
            "UPDATE release SET digest = :whole, manifest = :kept", whole=whole, kept=site.store.put(lost)
        )
    )


def manifest_gone(site: pages.Filled) -> None:
    shutil.rmtree(site.home.store / "packs")


def held(site: pages.Filled) -> None:
    site.hold("test", "the fair is on")


def secret_unset(site: pages.Filled) -> None:
    content = pages.content(1)
    needy = {name: replace(service, secrets=("SHOP_KEY",)) for name, service in content.services.items()}
    asking = replace(content, services=needy, environments={"test": content.environments["test"]})
    kept = site.store.put(asking.data)
    site.database.write(
        lambda tx: tx.execute(
            "UPDATE release SET digest = :digest, manifest = :kept WHERE number = 1", digest=asking.digest, kept=kept
        )
    )


def sealed(site: pages.Filled) -> None:
    key = sealing.create(site.home.root / secrets.FILE)
    site.database.write(lambda tx: secrets.put(tx, key, pages.PROJECT, "test", "SHOP_KEY", b"12345", actor="ana"))


def key_gone(site: pages.Filled) -> None:
    sealed(site)
    (site.home.root / secrets.FILE).unlink()


def key_other(site: pages.Filled) -> None:
    key_gone(site)
    sealing.create(site.home.root / secrets.FILE)


def seal_moved(site: pages.Filled) -> None:
    sealed(site)
    site.database.write(lambda tx: tx.execute("UPDATE secret SET environment = 'prod'"))


def record_torn(site: pages.Filled) -> None:
    (site.home.state / "children.json").write_text('{"format"')


def failed_revision(site: pages.Filled) -> None:
    site.database.write(
        lambda tx: tx.execute(
            "UPDATE revision SET state = 'failed', reason = 'delays did not start' WHERE environment = 'prod'"
        )
    )


def old_change(site: pages.Filled) -> None:
    site.push(2, "Waits")
    site.database.write(lambda tx: tx.execute("UPDATE change SET recorded_us = 1 WHERE number = 2"))


def asking_change(site: pages.Filled) -> None:
    site.push(2, "Asks")
    site.database.write(lambda tx: tx.execute("UPDATE change SET state = 'asking' WHERE number = 2"))


@pytest.mark.parametrize(
    ("break_it", "said", "mend"),
    [
        (private, "others may read token", "chmod 600"), (foreign_token, "does not know the token", "from a backup"),
        (open_home, "others may look into the home", "chmod 700"), (other_format, "has the format", "that made it"),
        (former_format, "made by an older Ciranda", "ciranda up"), (no_folder, "folders of the home are gone: lines", "restore"),
        (garbage, "not a database any more", "backup"), (no_ledger, "there is no ledger here", "ciranda up"),
        (page_lost, "the ledger is damaged", "ciranda restore"), (no_table, "no such table: migration", "ciranda restore"),
        (lacking, "tables of this Ciranda are not there: loop 0002", "ciranda"),
        (event_changed, "event 2 (", "backup"), (late_event, "behind the last event", "set-ntp"),
        (dead_run, "1 run says that it goes on", "ciranda run"), (waiting_task, "waits for a runner", "ciranda up"),
        (given_up, "given up after 3 tries", "runner.log"), (branch_moved, "the last change that passed", "update-ref"),
        (branch_lost, "main of flights is not there", "update-ref"), (no_repository, "the repository of flights is gone", "restore"),
        (git_damaged, "the repository flights is damaged", "push"), (no_interpreter, "the interpreter of r1 is gone", "ciranda run"),
        (asset_gone, "delay of r1 is not in the store", "ciranda run"), (manifest_gone, "manifest of r1 is not in the store", "up"),
        (held, "test is held by bea: the fair is on", "ciranda hold test --release"),
        (secret_unset, "needs the secret SHOP_KEY", "ciranda secret set SHOP_KEY -e test --project flights"),
        (key_gone, "key file of the secrets is missing", "chmod 600"), (key_other, "sealed with the key", "put the key file back"),
        (seal_moved, "a seal does not open", "set the secret again"), (record_torn, "record of running processes", "children.json"),
        (failed_revision, "was not reached: delays did not start", "ciranda status -e prod"),
        (old_change, "change 2 is recorded since", "ciranda up"), (asking_change, "change 2 waits for a person", "approve change/2"),
    ],
)  # fmt: skip
def test_what_is_broken_is_named(
    site: pages.Filled, break_it: Callable[[pages.Filled], None], said: str, mend: str
) -> None:
    break_it(site)
    assert mend in told(look(site.home.root), said).mend


def test_a_ledger_on_postgresql_that_does_not_answer(site: pages.Filled) -> None:
    (site.home.root / "ledger.url").write_text("postgresql://me:hunter2@127.0.0.1:9/ledger\n")
    (site.home.root / "ledger.url").chmod(0o600)
    found = look(site.home.root)
    assert "Connection refused" in told(found, "the ledger's server").what
    assert "hunter2" not in json.dumps(found.document()), "the password of an address is not told"


def test_objects_that_have_changed_are_found_within_the_budget_and_by_a_deep_look(site: pages.Filled) -> None:
    large = site.store.put(b"x" * 200_000)
    path = site.home.store / "objects" / large[3:5] / large[5:]
    path.chmod(0o644)
    path.write_bytes(b"y" * 200_000)
    assert not [what for what in unwell(look(site.home.root)) if "not what was stored" in what], "nothing live needs it"
    assert large in told(look(site.home.root, deep=True), "is not what was stored").what


def test_a_keeper_that_was_killed_leaves_processes_that_are_named(site: pages.Filled) -> None:
    own = process.of(os.getpid())
    assert own is not None
    left = children.Child("gateway-1", "gateway", own, None, "", "", 1.0, 1, {})
    children.save(site.home.state / "children.json", [left])
    said = told(look(site.home.root), "the keeper is gone, and 1 process of it still runs")
    assert said.where == "1 gateway"
    assert not [what for what in unwell(look(site.home.root)) if "nothing is served" in what], (
        "the gateway still answers"
    )


@pytest.fixture
def keeper(site: pages.Filled) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that looks like the keeper of the home and does nothing."""
    config = site.home.state / "keeper.json"
    argv = [sys.executable, "-c", "import sys; sys.stdin.read()", "ciranda.service.keeper", str(config)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as started:
        (site.home.state / "server.json").write_text(
            json.dumps({"url": "http://127.0.0.1:9", "gateway": "http://127.0.0.1:9", "pid": started.pid, "since": 1})
        )
        config.write_text(json.dumps({"sockets": str(site.home.sockets)}))
        yield started
        started.communicate()


def test_a_keeper_that_is_silent_or_without_sockets(site: pages.Filled, keeper: "subprocess.Popen[bytes]") -> None:
    said = told(look(site.home.root), "does not answer")
    assert said.mend.startswith(f"kill -KILL {keeper.pid}")
    (site.home.state / "keeper.json").write_text(json.dumps({"sockets": str(site.home.root / "cleaned")}))
    assert "loginctl" in told(look(site.home.root), "the server's sockets are gone").mend


def test_a_server_whose_sockets_lie_elsewhere(
    site: pages.Filled, keeper: "subprocess.Popen[bytes]", short_path: Path
) -> None:
    folder = sockets.private(sockets.within(short_path, site.home.root))
    (site.home.state / "keeper.json").write_text(json.dumps({"sockets": str(folder)}))
    listed = {"ok": True, "pid": keeper.pid, "started_us": 1, "children": [], "listen": {}}
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "keeper"))
        listener.listen()
        listener.settimeout(10)
        looking = subprocess.Popen(
            [projects.CIRANDA, "doctor", "--json", "--home", str(site.home.root)],
            stdout=subprocess.PIPE,
            cwd=short_path,
        )
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(json.dumps(listed).encode() + b"\n")
        out, _ = looking.communicate(timeout=60)
    assert looking.returncode == 1
    found = [one for part in json.loads(out)["parts"] for one in part["findings"] if one["level"] == "wrong"]
    mend = next(one["mend"] for one in found if "keeps its sockets in" in one["what"])
    assert mend.startswith(f"export XDG_RUNTIME_DIR={short_path}")
    assert any("control does not run" in one["what"] for one in found)


def test_a_full_disk_is_told_and_nothing_needs_to_be_written(site: pages.Filled, short_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    disk = short_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        site.database.close()
        shutil.copytree(site.home.root, disk / "home")
        with suppress(OSError), open(disk / "fill", "wb", buffering=0) as file:
            while file.write(b"x" * 4096):
                pass
        found = look(disk / "home")
        assert "0 bytes of 8.4 MB free" in told(found, "the disk is full").what
        assert told(found, "the disk is full").mend == "ciranda gc"
        assert found.count("wrong") >= 2
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


# ── projects ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def toy(tmp_path: Path) -> projects.Project:
    return projects.make(
        tmp_path, PIPELINE, sources={"raw": "data/*.txt"}, files={"data/raw.txt": "1", "requirements.txt": ""},
        more='[checks]\ncode = ["true"]\n',
    )  # fmt: skip


def test_a_project_in_order_and_its_exit_status(toy: projects.Project) -> None:
    toy.ciranda("run").succeeds()
    said = toy.ciranda("doctor").succeeds().out
    assert "  ✓ toy: ciranda.toml reads, 1 source" in said
    assert "\x1b" not in said
    document = toy.ciranda("doctor", "--json").succeeds().json
    assert document["wrong"] == 0
    assert [part["name"] for part in document["parts"]] == ["machine", "home", "project"]


@pytest.mark.parametrize(
    ("path", "text", "said", "mend"),
    [
        ("ciranda.toml", "[project]\nname = 'x'\n[sorces]\n", "[sorces] is not a section", "sources"),
        ("ciranda.toml", "[project]\nname = 'x'\npipeline = 'none.py'\n", "pipeline none.py is not there", "none.py"),
        ("ciranda.toml", "[project]\nname = 'x'\n[sources]\nraw = { files = 'no/*.csv' }\n", "no file of the project", "ls no"),
        (
            "ciranda.toml", "[project]\nname = 'x'\n[sources]\nraw = { files = '/no/such/*.csv' }\n",
            "no file is called /no/such", "ls -l",
        ),
        (".gitignore", "data/\n", "1 file that Git ignores", "ciranda data add data/raw.txt"),
        ("ciranda.lock", "{", "this is not JSON", "git checkout"),
        (
            "ciranda.lock", '{"format": "ciranda.lock/1", "files": {"big.bin": {"digest": "b3:%s", "size": 1}}}' % ("0" * 64),
            "1 file of ciranda.lock is not here", "ciranda data pull",
        ),
        ("requirements.txt", None, "nothing says what the project needs", "uv pip compile"),
        ("ciranda.toml", "[project]\nname = 'x'\n", "no command checks the code", "[checks]"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_project(toy: projects.Project, path: str, text: str | None, said: str, mend: str) -> None:
    if path == ".gitignore":
        toy.git("rm", "-q", "--cached", "data/raw.txt").succeeds()
    if text is None:
        (toy.root / path).unlink()
    else:
        toy.write({path: text})
    assert mend in told(look(toy.home, toy.root), said).mend


def test_a_program_that_is_not_there(toy: projects.Project) -> None:
    (toy.root / "requirements.txt").unlink()
    toy.write({"ciranda.toml": "[project]\nname = 'x'\n[services.s]\npredict = 'serve:predict'\n"})
    assert "Git" in told(look(toy.home, toy.root), "there is no module serve").mend


def test_large_files_in_git_and_remotes_that_do_not_answer(toy: projects.Project) -> None:
    with (toy.root / "big.bin").open("wb") as file:
        file.truncate(60_000_000)
    toy.git("add", "big.bin").succeeds()
    found = look(toy.home, toy.root)
    assert told(found, "Git tracks a file of 60 MB").mend == "git rm --cached big.bin && ciranda data add big.bin"
    assert told(found, "no remote ciranda").mend == "ciranda init"
    toy.git("remote", "add", "ciranda", "http://127.0.0.1:9/git/toy.git").succeeds()
    assert told(look(toy.home, toy.root), "pushes cannot arrive").where == "http://127.0.0.1:9"


def test_errors_that_are_no_findings_are_not_hidden(site: pages.Filled, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(examination.house, "usage", crash)
    with pytest.raises(ZeroDivisionError):
        look(site.home.root)
