"""Git's ordinary client against the real web: what a push prints, how it ends, what it leaves."""

import time
from pathlib import Path

from ciranda.versions import repositories
from support.git import FakeControl, Proposed, new_clone, served


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
