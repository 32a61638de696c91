"""Clock, errors, files, lines, processes, sockets and statements."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import clock, errors, files, lines, postgres, process, sockets, statements

# ── clock ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_identities_are_uuids_of_version_7_and_sort_as_they_were_made() -> None:
    made = []
    for _ in range(50):
        made.append(clock.uuid7())
        until = time.perf_counter_ns() + 2_000  # more than the 1/4096 ms that an identity can tell apart
        while time.perf_counter_ns() < until:
            pass
    assert made == sorted(made)
    assert len({clock.uuid7() for _ in range(1000)}) == 1000
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )
    assert abs(int(made[0].replace("-", "")[:12], 16) - time.time() * 1000) < 60_000


def test_now_is_in_microseconds() -> None:
    assert abs(clock.now_us() / 1e6 - time.time()) < 60


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def every(kind: type[errors.CirandaError]) -> Iterator[type[errors.CirandaError]]:
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__ == errors.__name__:  # rooms above add theirs
            yield from every(inner)


@pytest.mark.parametrize("kind", list(every(errors.CirandaError)))
def test_every_error_has_a_message_of_its_own(kind: type[errors.CirandaError]) -> None:
    error = kind()
    assert str(error) == (kind.__doc__ or "").rstrip(".")
    assert error.message == str(error)
    assert (error.where, error.hint) == ("", "")
    assert kind.exit_code == (64 if kind is errors.Usage else 1)
    more = kind("what", where="there", hint="do this")
    assert (str(more), more.where, more.hint) == ("what", "there", "do this")
    assert kind.__name__ in (errors.__doc__ or "")


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data, mode in ((b"old", 0o644), (b"", 0o600), (b"new" * 100_000, 0o644)):
        files.write_atomic(path, data, mode)
        assert path.read_bytes() == data
        assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_what_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        files.write_atomic(path, b"x")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        files.write_atomic(tmp_path / "nowhere" / "file", b"x")


@pytest.mark.parametrize(("number", "said"), [(28, "no room"), (122, "quota"), (30, "only be read")])
def test_no_room_is_said_with_the_folder_and_what_to_do(tmp_path: Path, number: int, said: str) -> None:
    with pytest.raises(errors.StorageFull, match=said) as raised, files.room(tmp_path):
        raise OSError(number, "x")
    assert raised.value.where == str(tmp_path)
    assert str(tmp_path) in raised.value.hint


# ── lines ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(path: Path, offset: int = 0) -> list[dict[str, Any]]:
    return list(lines.follow(path, offset=offset, stop=lambda: True, wait=lambda _: None))


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    assert read(path) == []
    records = [{"n": number, "text": "é\n\u2028\ud800"} for number in range(5)]
    for record in records:
        lines.Lines(path).append(record)
    assert read(path) == records
    assert read(path, path.read_bytes().index(b"\n") + 1) == records[1:]
    assert path.read_bytes().count(b"\n") == 5


@given(plan=st.lists(st.integers(0, 9) | st.binary(min_size=1, max_size=9).filter(lambda junk: b"\n" not in junk)))
def test_torn_lines_cost_only_themselves(tmp_path: Path, plan: list[int | bytes]) -> None:
    path = tmp_path / os.urandom(4).hex()
    kept = []
    for part in plan:
        if isinstance(part, int):
            lines.Lines(path).append({"n": part})
            kept.append({"n": part})
        else:
            with path.open("ab") as file:
                file.write(b'{"torn": ' + part)
    assert [record for record in read(path) if "n" in record] == kept


def test_many_processes_append_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    program = "import sys; from pathlib import Path; from ciranda.kernel.lines import Lines\n"
    program += "for n in range(200): Lines(Path(sys.argv[1])).append({'who': sys.argv[2], 'n': n, 'fill': 'x' * 5000})"
    writers = [subprocess.Popen([sys.executable, "-c", program, path, str(who)]) for who in range(3)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    found = read(path)
    for who in range(3):
        assert [record["n"] for record in found if record["who"] == str(who)] == list(range(200))


def test_lines_are_followed_as_they_come(tmp_path: Path) -> None:
    path, done = tmp_path / "lines", threading.Event()
    news = threading.Semaphore(0)

    def write() -> None:
        for number in range(20):
            news.acquire(timeout=10)
            lines.Lines(path).append({"n": number})
        done.set()

    writer = threading.Thread(target=write)
    writer.start()

    def wait(seconds: float) -> None:
        news.release()
        done.wait(seconds)

    assert [record["n"] for record in lines.follow(path, stop=done.is_set, wait=wait)] == list(range(20))
    writer.join()


def test_what_was_written_before_the_stop_is_still_read(tmp_path: Path) -> None:
    path = tmp_path / "lines"

    def stop() -> bool:
        lines.Lines(path).append({"last": True})
        return True

    assert list(lines.follow(path, stop=stop, wait=lambda _: None)) == [{"last": True}]


# ── processes ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as child:
        yield child
        child.kill()


def identity(pid: int) -> process.Identity:
    found = process.of(pid)
    assert found is not None
    return found


def test_a_process_is_known_by_number_start_and_boot(sleeper: "subprocess.Popen[bytes]") -> None:
    known = identity(sleeper.pid)
    assert known == identity(sleeper.pid)
    assert process.alive(known)
    for other in (
        process.Identity(known.pid, known.start + 1, known.boot),
        process.Identity(known.pid, known.start, "another boot"),
        process.Identity(os.getpid(), known.start, known.boot),
    ):
        assert not process.alive(other)
        assert not process.signal(other, signal.SIGKILL)
    assert process.signal(known, 0)
    assert process.signal(known, signal.SIGTERM)
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)
    assert not process.alive(known)  # it waits to be reaped
    assert not process.signal(known, signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
    assert process.of(sleeper.pid) != known
    assert not process.signal(known, signal.SIGTERM)


def test_a_name_with_brackets_and_blanks_is_no_trap(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b c"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "60"]) as child:
        known = identity(child.pid)
        assert process.signal(known, signal.SIGKILL)


# ── sockets ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def runtime(short_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short_path))
    return short_path


def test_each_root_has_a_private_folder(runtime: Path, tmp_path: Path) -> None:
    one, two = sockets.folder(tmp_path / "one"), sockets.folder(tmp_path / "two")
    assert one != two
    assert one == sockets.folder(tmp_path / "one")
    assert stat.S_IMODE(one.stat().st_mode) == 0o700
    assert re.fullmatch(rf"{runtime}/ciranda-{os.geteuid()}/[0-9a-f]{{8}}", str(one))
    (tmp_path / "one").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "one")
    assert sockets.folder(tmp_path / "link") == one


def test_a_folder_that_others_may_enter_or_that_is_a_link_is_refused(runtime: Path, tmp_path: Path) -> None:
    path = sockets.folder(tmp_path)
    path.chmod(0o755)
    with pytest.raises(errors.Refused, match="private"):
        sockets.folder(tmp_path)
    path.rmdir()
    path.symlink_to(tmp_path)
    with pytest.raises(errors.Refused, match="private"):
        sockets.folder(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused(runtime: Path, tmp_path: Path) -> None:
    os.chown(sockets.folder(tmp_path), 65534, 65534)
    with pytest.raises(errors.Refused, match="yours"):
        sockets.folder(tmp_path)


@pytest.mark.parametrize("place", ["/nowhere", "", "x" * 100])
def test_a_place_that_cannot_hold_sockets_is_passed_over(
    place: str, tmp_path: Path, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / place) if place.startswith("x") else place)
    if place.startswith("x"):
        (tmp_path / place).mkdir()
    monkeypatch.setenv("TMPDIR", str(short_path))
    assert sockets.folder(tmp_path).is_relative_to(short_path)


@pytest.fixture
def server(short_path: Path) -> Iterator[Callable[[bytes | None], Path]]:
    """Answer one request with these bytes; None: never."""
    path = short_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    threads: list[threading.Thread] = []
    end = threading.Event()

    def answer(reply: bytes | None) -> None:
        connection, _ = listener.accept()
        with connection:
            asked = connection.makefile("rb").readline()
            assert json.loads(asked)
            if reply is None:
                end.wait(10)
            else:
                connection.sendall(reply)

    def start(reply: bytes | None) -> Path:
        threads.append(threading.Thread(target=answer, args=[reply]))
        threads[-1].start()
        return path

    yield start
    end.set()
    for thread in threads:
        thread.join()
    listener.close()


def test_a_question_gets_its_answer(server: Callable[[bytes | None], Path]) -> None:
    reply = {"ok": True, "text": "é" * 100_000}
    assert sockets.ask(server(json.dumps(reply).encode() + b"\n"), {"list": {}}, 10) == reply


@pytest.mark.parametrize("reply", [b"", b'{"ok": tr', b"[1]\n", b"what\n"])
def test_what_is_no_answer_is_said(server: Callable[[bytes | None], Path], reply: bytes) -> None:
    with pytest.raises(errors.Unreachable, match="answer"):
        sockets.ask(server(reply), {"x": 1}, 10)


def test_an_answer_that_does_not_come_in_time(server: Callable[[bytes | None], Path]) -> None:
    with pytest.raises(errors.Unreachable, match=r"within 0\.1 s"):
        sockets.ask(server(None), {"x": 1}, 0.1)


def test_nobody_there(short_path: Path) -> None:
    with pytest.raises(errors.Unreachable, match="nobody"):
        sockets.ask(short_path / "nobody", {}, 1)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(short_path / "dead"))
    dead.close()
    with pytest.raises(errors.Unreachable, match="dead"):
        sockets.ask(short_path / "dead", {}, 1)


# ── statements ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    def make(text: str) -> str:
        name = f"p{os.urandom(6).hex()}"
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "queries.sql").write_text(text)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    return make


def test_statements_are_attributes(package: Callable[[str], str]) -> None:
    sql = statements.load(package("-- A file.\n\n-- name: one\n-- Why.\nSELECT 1;\n\n-- name: two\nSELECT ';'\n"))
    assert list(sql) == ["one", "two"]
    assert sql.one == "-- Why.\nSELECT 1"
    assert sql.two == "SELECT ';'"
    with pytest.raises(AttributeError, match=r"queries\.sql has no statement named 'three'"):
        _ = sql.three


def test_a_name_twice_is_refused(package: Callable[[str], str]) -> None:
    with pytest.raises(errors.Invalid, match="one"):
        statements.load(package("-- name: one\nSELECT 1;\n-- name: one\nSELECT 2;"))


@pytest.mark.parametrize(
    ("script", "parts"),
    [
        ("", []),
        (" ; -- x; y\n;", []),
        ("a; b", ["a", "b"]),
        ("a ';' b; c \";\" d", ["a ';' b", 'c ";" d']),
        ("a 'it''s; ' b; /* ; */ c", ["a 'it''s; ' b", "/* ; */ c"]),
        ("a 'open; b", ["a 'open; b"]),
    ],
)
def test_a_script_is_cut_into_statements(script: str, parts: list[str]) -> None:
    assert statements.split(script) == parts


@given(text=st.text("a'\";:-/*\n %_", max_size=30))
def test_tokens_are_the_whole_text(text: str) -> None:
    cuts = list(statements.tokens(text))
    assert "".join(text[begin:end] for _, begin, end in cuts) == text
    assert all(begin < end for _, begin, end in cuts)


@pytest.mark.parametrize(
    ("statement", "translated"),
    [
        ("SELECT :a, :b_2", "SELECT %(a)s, %(b_2)s"),
        ("SELECT ':a', \":a\", x::text -- :a", "SELECT ':a', \":a\", x::text -- :a"),
        ("LIKE 'a%' || :x % 2", "LIKE 'a%%' || %(x)s %% 2"),
        ("a:b", "a%(b)s"),
        ("a[1:2]", "a[1:2]"),
    ],
)
def test_statements_for_postgres(statement: str, translated: str) -> None:
    assert postgres.translate(statement) == translated


def test_an_address_is_shown_without_its_password() -> None:
    assert (
        postgres.place("postgresql://ana:secret@db.example:5433/ciranda?x=y") == "postgresql://db.example:5433/ciranda"
    )
