"""Git's ordinary client against the real web: what a push prints, how it ends, what it leaves."""

import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ciranda.versions import repositories
from support.git import FakeControl, Proposed, new_clone, served
from support.web import request


def test_push_is_accepted_and_cloned_back(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        commit = work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", "main")
        assert "[new branch]" in done.stderr
        again = new_clone(tmp_path / "again", web.url(token="viewer"))
        again.git("pull", "-q", "ciranda", "main")
        assert again.head() == commit
        assert list((web.home.state / "windows").iterdir()) == []


def test_lines_stream_while_the_gate_works(tmp_path: Path) -> None:
    seen: dict[str, float] = {}

    def judge(control: FakeControl, proposed: Proposed) -> None:
        proposed.say("  code     \x1b[31m✓ 14 tests\r")
        seen["said"] = time.monotonic()
        time.sleep(1.0)
        proposed.accept(ends=False)
        proposed.say("  release  r42")
        proposed.say("live  http://127.0.0.1/", ends=True)

    with served(tmp_path / "home", judge) as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        process = work.start("push", "ciranda", "main")
        assert process.stderr is not None
        first = process.stderr.readline()
        arrived = time.monotonic()
        rest = process.stderr.read()
        process.stderr.close()
        assert process.wait() == 0
    assert b"code     [31m\xe2\x9c\x93 14 tests" in first
    assert b"\x1b[31m" not in first
    assert arrived - seen["said"] < 0.9
    assert rest.index(b"release  r42") < rest.index(b"live  http")
    assert b"main -> main" in rest


def test_a_refused_push_prints_the_reason_and_leaves_the_branch(tmp_path: Path) -> None:
    def judge(control: FakeControl, proposed: Proposed) -> None:
        if proposed.number == 1:
            proposed.accept()
        else:
            proposed.say("  code     ✗ test_it failed")
            proposed.refuse("flights: flown_once failed on 54,008 rows")

    with served(tmp_path / "home", judge) as web:
        work = new_clone(tmp_path / "work", web.url())
        first = work.commit("First", {"a.txt": "hello"})
        work.git("push", "ciranda", "main")
        work.commit("Second", {"a.txt": "worse"})
        done = work.git("push", "ciranda", "main", check=False)
        assert done.returncode == 1
        assert "remote:   code     ✗ test_it failed" in done.stderr
        assert "! [remote rejected] main -> main (flights: flown_once failed on 54,008 rows)" in done.stderr
        assert work.git("ls-remote", "ciranda", "refs/heads/main").stdout.split()[0] == first
        repository = repositories.path(web.home.repositories, "flights")
        assert repositories.read_ref(repository, "refs/changes/2") == work.head()


def test_a_wrong_token_is_said_clearly(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url(token="wrong"))
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", "main", check=False)
        assert done.returncode == 128
        assert "remote: nobody here has this token" in done.stderr
        assert "Authentication failed" in done.stderr
        assert not (web.home.repositories / "flights.git").exists()


def test_no_token_and_a_role_that_does_not_reach(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", f"http://127.0.0.1:{web.port}/git/flights.git")
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", "main", check=False, GIT_ASKPASS="false")
        assert done.returncode == 128
        work.git("remote", "set-url", "ciranda", web.url(token="viewer"))
        done = work.git("push", "ciranda", "main", check=False)
        assert done.returncode == 128
        assert "remote: vie is viewer in flights, and this needs developer" in done.stderr


def test_a_repository_that_is_not_there_and_one_that_cannot_be(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work")
        done = work.git("ls-remote", web.url("nothing"), check=False)
        assert "remote: there is no repository nothing" in done.stderr
        work.commit("First", {"a.txt": "hello"})
        for name in ("api", "UPPER", "x" * 41):
            done = work.git("push", web.url(name), "main", check=False)
            assert done.returncode == 128
            assert "cannot name a repository" in done.stderr
        assert list(web.home.repositories.iterdir()) == []


def test_the_protected_branch_is_neither_forced_nor_deleted(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        first = work.commit("First", {"a.txt": "hello"})
        work.git("push", "ciranda", "main")
        work.git("commit", "-q", "--amend", "-m", "Other")
        done = work.git("push", "--force", "ciranda", "main", check=False)
        assert done.returncode == 1
        assert "[remote rejected] main -> main (main is protected: it only moves forward)" in done.stderr
        done = work.git("push", "ciranda", ":main", check=False)
        assert done.returncode == 1
        assert "(main is protected: it cannot be deleted)" in done.stderr
        assert work.git("ls-remote", "ciranda", "refs/heads/main").stdout.split()[0] == first


def test_other_branches_and_tags_are_written_moved_and_deleted(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        first = work.commit("First", {"a.txt": "hello"})
        work.git("tag", "-a", "v1", "-m", "One")
        work.git("push", "ciranda", "main:refs/heads/feature/x", "v1")
        second = work.commit("Second", {"a.txt": "more"})
        work.git("push", "ciranda", "main:feature/x")
        listed = work.git("ls-remote", "ciranda").stdout
        assert f"{second}\trefs/heads/feature/x" in listed
        assert f"{first}\trefs/tags/v1^{{}}" in listed
        work.git("push", "--force", "ciranda", f"{first}:refs/heads/feature/x")
        work.git("push", "ciranda", ":feature/x")
        assert "feature" not in work.git("ls-remote", "ciranda").stdout


@pytest.mark.parametrize("name", ["-x", "a/-b", "a\u202eb", "a\u200bb", "HEAD", "x" * 190])
def test_hostile_names_are_refused_with_the_reason(tmp_path: Path, name: str) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", f"main:refs/heads/{name}", check=False)
        assert done.returncode == 1
        assert "[remote rejected]" in done.stderr
        assert "name" in done.stderr
        assert work.git("ls-remote", "ciranda").stdout == ""
        assert web.control.acts == []


@pytest.mark.parametrize("ref", ["refs/changes/1", "refs/notes/x", "refs/replace/x", "refs/x"])
def test_only_branches_and_tags_can_be_pushed(tmp_path: Path, ref: str) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", f"main:{ref}", check=False)
        assert done.returncode == 1
        assert "[remote rejected]" in done.stderr
        assert work.git("ls-remote", "ciranda").stdout == ""


def test_several_refs_in_one_push_have_each_their_end(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", "main", "main:refs/heads/-bad", "main:refs/heads/good", check=False)
        assert done.returncode == 1
        assert "main -> main" in done.stderr
        listed = work.git("ls-remote", "ciranda").stdout
        assert "refs/heads/good" in listed
        assert "refs/heads/main" in listed
        assert "bad" not in listed
        done = work.git("push", "--atomic", "ciranda", "main:refs/heads/p", "main:refs/heads/q", check=False)
        assert done.returncode == 1
        assert "cannot be atomic" in done.stderr


def test_detached_the_client_believes_what_is_true(tmp_path: Path) -> None:
    released = threading.Event()

    def judge(control: FakeControl, proposed: Proposed) -> None:
        released.wait(30)
        proposed.accept()

    with served(tmp_path / "home", judge) as web:
        work = new_clone(tmp_path / "work", web.url())
        commit = work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "-o", "detach", "ciranda", "main")
        assert "main -> refs/changes/1" in done.stderr
        assert "goes on without this window" in done.stderr
        assert web.control.acts == [("push", "dev", ("detach",))]
        assert work.git("for-each-ref", "refs/remotes").stdout == ""
        listed = work.git("ls-remote", "ciranda").stdout.split()
        assert listed == [commit, "refs/changes/1"]
        released.set()


def test_the_window_closes_when_the_gate_takes_too_long(tmp_path: Path) -> None:
    released = threading.Event()

    def judge(control: FakeControl, proposed: Proposed) -> None:
        proposed.say("  delay    training", wait=0.3)
        released.wait(30)
        proposed.accept()

    with served(tmp_path / "home", judge) as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", "main")
        assert "remote:   delay    training" in done.stderr
        assert "main -> refs/changes/1" in done.stderr
        released.set()


def test_a_false_ok_is_not_passed_on(tmp_path: Path) -> None:
    def judge(control: FakeControl, proposed: Proposed) -> None:
        proposed.say("", settles=True, status="ok", ends=True)

    with served(tmp_path / "home", judge) as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        done = work.git("push", "ciranda", "main", check=False)
        assert done.returncode == 1
        assert "(the ref is at nothing; fetch first)" in done.stderr


def test_a_client_that_is_killed_takes_its_window_along_and_not_its_change(tmp_path: Path) -> None:
    waiting, released = threading.Event(), threading.Event()

    def judge(control: FakeControl, proposed: Proposed) -> None:
        proposed.say("  code     waits")
        waiting.set()
        released.wait(30)
        proposed.accept()

    with served(tmp_path / "home", judge) as web:
        work = new_clone(tmp_path / "work", web.url())
        commit = work.commit("First", {"a.txt": "hello"})
        with work.start("push", "ciranda", "main") as process:
            assert waiting.wait(30)
            assert process.stderr is not None
            assert b"waits" in process.stderr.readline()
            assert processes_of(web.home.root)
            work.kill(process)
        children_end(web.home.root)
        released.set()
        for thread in web.control.threads:
            thread.join()
        assert work.git("ls-remote", "ciranda", "refs/heads/main").stdout.split()[0] == commit
        assert list((web.home.state / "windows").iterdir()) == []


def test_a_client_that_is_killed_while_it_sends_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("Large", {"large": os.urandom(20_000_000)})
        with work.start("push", "ciranda", "main") as process:
            objects = web.home.repositories / "flights.git" / "objects"
            while not list(objects.glob("tmp_objdir*")) and process.poll() is None:
                time.sleep(0.001)
            work.kill(process)
        children_end(web.home.root)
        assert list(objects.glob("tmp_objdir*")) == []
        assert web.control.proposed == []
        again = work.git("push", "ciranda", "main")
        assert "main -> main" in again.stderr


def test_a_large_push_arrives_whole(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        content = os.urandom(30_000_000)
        work.commit("Large", {"large": content, "text": "x" * 100_000})
        started = time.monotonic()
        work.git("push", "ciranda", "main")
        took = time.monotonic() - started
        again = new_clone(tmp_path / "again", web.url())
        again.git("pull", "-q", "ciranda", "main")
        assert (again.path / "large").read_bytes() == content
        assert took < 20


def test_a_push_to_the_folder_itself_is_refused(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        web.control.repository("flights", create=True)
        done = work.git("push", str(web.home.repositories / "flights.git"), "main", check=False)
        assert done.returncode == 1
        assert "push to the server's address" in done.stderr


def test_control_that_does_not_answer_refuses_the_push(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        (web.home.sockets / "control").unlink()
        done = work.git("push", "ciranda", "main", check=False)
        assert done.returncode == 1
        assert "the server does not answer" in done.stderr


def test_objects_that_are_not_well_formed_are_refused(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        work.commit("First", {"a.txt": "hello"})
        blob = work.git("rev-parse", "HEAD:a.txt").stdout.strip()
        tree = subprocess.run(
            ["git", "hash-object", "-w", "--literally", "-t", "tree", "--stdin"],
            cwd=work.path, input=b"100644 .GIT\0" + bytes.fromhex(blob), capture_output=True, check=True,
        ).stdout.decode().strip()  # fmt: skip
        commit = work.git("commit-tree", "-m", "evil", tree).stdout.strip()
        done = work.git("push", "ciranda", f"{commit}:refs/heads/main", check=False)
        assert done.returncode != 0
        assert "hasDotgit" in done.stderr
        assert web.control.proposed == []


def test_the_dumb_protocol_and_other_paths_are_refused(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        web.control.repository("flights", create=True)
        for path, status in (
            ("/git/flights.git/info/refs", 403), ("/git/flights.git/HEAD", 404), ("/git/flights.git/objects/info/packs", 404),
            ("/git/flights.git/config", 404), ("/git/../token", 404), ("/git/flights.git/../../token", 404), ("/git/%2e%2e/token", 404),
            ("/git/flights.git/info/refs?service=git-upload-archive", 403), ("/git/flights.git/git-upload-pack", 405), ("/git", 404),
        ):  # fmt: skip
            assert request(web.port, "GET", path, token="admin").status == status, path


def test_fetches_that_are_long_shallow_or_partial(tmp_path: Path) -> None:
    with served(tmp_path / "home") as web:
        work = new_clone(tmp_path / "work", web.url())
        for number in range(3):
            work.commit(f"Number {number}", {"a.txt": f"{number}" * 1000, "b.txt": f"{number}"})
        work.git("push", "ciranda", "main")
        other = new_clone(tmp_path / "other", web.url())
        for number in range(60):  # so many that git compresses what it has
            other.git("commit", "-q", "--allow-empty", "-m", f"Mine {number}")
        other.git("fetch", "-q", "ciranda", "main")
        for options in (["--depth", "1"], ["--filter=blob:none"]):
            target = tmp_path / options[0].strip("-").partition("=")[0]
            work.git("clone", "-q", *options, web.url(token="viewer"), str(target))
            assert (target / "b.txt").read_text() == "2"


def processes_of(home: Path) -> list[str]:
    """The command lines of what runs inside a home's repositories."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if os.readlink(entry / "cwd").startswith(str(home / "repositories")):
                    found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
    return found


def children_end(home: Path) -> None:
    """Wait until no Git and no window of a home runs any more."""
    until = time.monotonic() + 10
    while (left := processes_of(home)) and time.monotonic() < until:
        time.sleep(0.02)
    assert left == []
