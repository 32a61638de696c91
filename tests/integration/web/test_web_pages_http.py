"""The pages over HTTP: who may look, what is sent with them, how a link signs in once, and pages of long lists."""

import http.client
import re
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.access import sessions, tokens
from ciranda.app import home as homes
from ciranda.cli import dispatch
from ciranda.kernel import clock, database, migrations, statements
from support import pages
from support.kernel import Ledger
from support.kernel import Server as PostgresServer
from support.pages import Shown
from support.web import Answer, request


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with pages.filled(tmp_path_factory.mktemp("pages") / "home") as filled:
        pages.busy(filled)
        with pages.shown(filled) as served:
            yield served


def look(shown: Shown, path: str, **headers: str) -> Answer:
    """A page, as a program with a token sees it."""
    return request(shown.port, "GET", path, token=shown.filled.token, **headers)


def test_without_a_session_a_page_says_how_to_sign_in(shown: Shown) -> None:
    for path in ("/", "/flights", "/flights/runs/1"):
        answer = request(shown.port, "GET", path)
        assert answer.status == 401
        assert b"ciranda open" in answer.body
        assert b"Train deeper" not in answer.body
    assert request(shown.port, "GET", "/-/events").status == 401


def test_a_link_signs_in_once(shown: Shown) -> None:
    made = request(shown.port, "POST", "/api/v1/invitations", token=shown.filled.token).json
    first = request(shown.port, "GET", f"/login?code={made['code']}")
    cookie = first.headers["set-cookie"]
    assert re.match(rf"ciranda_{shown.port}=[0-9a-f]{{64}};", cookie)
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.replace("; ", ";").split(";"))
    assert made["code"].encode() not in first.body
    assert request(shown.port, "GET", "/", Cookie=cookie.partition(";")[0]).status == 200
    again = request(shown.port, "GET", f"/login?code={made['code']}")
    assert again.status == 403
    assert "set-cookie" not in again.headers
    assert b"ciranda open" in again.body


def test_the_command_prints_a_link_or_opens_it(
    shown: Shown, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = str(shown.filled.home.root)
    assert dispatch.run(["open", "--print", "--home", home]) == 0
    link = capsys.readouterr().out.strip()
    assert link.startswith(f"{shown.url}/login?code=")
    assert request(shown.port, "GET", link.removeprefix(shown.url)).status == 200
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: opened.append(url) or True)
    assert dispatch.run(["open", "--home", home]) == 0
    assert opened[0] != link
    assert "code" not in capsys.readouterr().out
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert dispatch.run(["open", "--home", home]) == 1
    assert "--print" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["", "x", "0" * 64, "%3Cscript%3E"])
def test_a_code_that_is_none(shown: Shown, code: str) -> None:
    answer = request(shown.port, "GET", f"/login?code={code}")
    assert answer.status == 403
    assert b"<script>" not in answer.body


def test_only_who_has_a_token_gets_a_link(shown: Shown) -> None:
    assert request(shown.port, "POST", "/api/v1/invitations").status == 401
    assert request(shown.port, "POST", "/api/v1/invitations", token="cir_wrong").status == 401


def test_sessions_and_links_end(db: database.Database, monkeypatch: pytest.MonkeyPatch) -> None:
    db.write(lambda tx: tokens.create(tx, user="ana", role="viewer"))
    code = db.write(lambda tx: sessions.invite(tx, "ana"))
    session = db.write(lambda tx: sessions.begin(tx, code))
    assert session is not None
    assert sessions.find(db, session) == tokens.User("ana", "viewer")
    assert sessions.find(db, "nobody") is None
    late = db.write(lambda tx: sessions.invite(tx, "ana"))
    now_us = clock.now_us()
    monkeypatch.setattr(clock, "now_us", lambda: now_us + (sessions.INVITED + 1) * 1_000_000)
    assert db.write(lambda tx: sessions.begin(tx, late)) is None
    assert sessions.find(db, session) is not None
    monkeypatch.setattr(clock, "now_us", lambda: now_us + (sessions.SIGNED_IN + 1) * 1_000_000)
    assert sessions.find(db, session) is None


def test_neither_a_code_nor_a_session_is_in_the_ledger(ledger: Ledger) -> None:
    db = ledger.open()
    db.write(lambda tx: tokens.create(tx, user="ana", role="viewer"))
    code = db.write(lambda tx: sessions.invite(tx, "ana"))
    kept = [row["digest"] for row in db.query("SELECT digest FROM invitation")]
    session = db.write(lambda tx: sessions.begin(tx, code))
    kept += [row["digest"] for row in db.query("SELECT digest FROM session")]
    assert len(kept) == 2
    assert code not in str(kept)
    assert session not in str(kept)


def test_what_is_sent_with_a_page(shown: Shown) -> None:
    headers = look(shown, "/flights").headers
    assert headers["cache-control"] == "no-store"
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert (headers["referrer-policy"], headers["x-content-type-options"]) == ("same-origin", "nosniff")


def test_no_page_has_a_script_or_a_style_of_its_own(shown: Shown) -> None:
    for path in (
        "/",
        "/flights",
        "/flights/runs/5",
        "/flights/changes/5",
        "/flights/environments/prod",
        "/flights/services/delays",
    ):
        text = look(shown, path).body.decode()
        assert not re.search(
            r"<style|style=|<script(?! src=\"/static/)|\son[a-z]+=\"|javascript:", text.replace(pages.HOSTILE, "")
        ), path
        assert not re.search(r"(?:src|href)=\"(?!/|\?|#)", text), path


def test_files_may_be_kept_for_ever(shown: Shown) -> None:
    found = re.findall(r"/static/[\w.-]+", look(shown, "/").body.decode())
    assert len(set(found)) == 3
    for path in found:
        answer = request(shown.port, "GET", path)
        assert answer.status == 200
        assert "immutable" in answer.headers["cache-control"]
    assert request(shown.port, "GET", "/static/page-0000000000000000.css").status == 404
    assert request(shown.port, "GET", "/static/..%2f..%2fhandlers.py").status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/nobody", "/flights/changes/99", "/flights/runs/99", "/flights/releases/r99", "/flights/releases/b3:x", "/flights/diff/r1/r99",
        "/flights/environments/nowhere", "/flights/services/nothing", "/flights/services/delays?environment=nowhere",
        "/flights/jobs/nothing", "/flights/jobs/nightly?environment=test", "/flights/nothing", "/nobody/changes", "/nobody/runs",
        "/flights/changes/x", "/a/b/c/d/e/f",
    ],
)  # fmt: skip
def test_what_is_not_there_is_a_page_that_says_so(shown: Shown, path: str) -> None:
    answer = look(shown, path)
    assert answer.status == 404, answer.body.decode()
    assert answer.headers["content-type"].startswith("text/html")
    assert b"first page" in answer.body


def test_programs_are_still_answered_as_programs(shown: Shown) -> None:
    for path in ("/api/v1/nothing", "/api/nothing", "/git"):
        answer = look(shown, path)
        assert answer.status in (403, 404)
        assert not answer.headers["content-type"].startswith("text/html")


def test_a_page_of_another_site_may_not_look(shown: Shown) -> None:
    assert look(shown, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors").status == 403
    assert look(shown, "/", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors").status == 403
    assert look(shown, "/", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate").status == 200
    assert look(shown, "/", Sec_Fetch_Site="same-origin", Sec_Fetch_Mode="cors").status == 200
    assert look(shown, "/-/events", Sec_Fetch_Site="same-site", Sec_Fetch_Mode="cors").status == 401


def test_pages_change_nothing(shown: Shown) -> None:
    for path in ("/", "/flights", "/flights/runs/1"):
        assert request(shown.port, "POST", path, token=shown.filled.token, body={}).status == 405


def stream(shown: Shown, query: str) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    connection = http.client.HTTPConnection("127.0.0.1", shown.port, timeout=10)
    connection.request("GET", f"/-/events?{query}", headers={"Authorization": f"Bearer {shown.filled.token}"})
    answer = connection.getresponse()
    assert answer.status == 200
    assert answer.getheader("content-type", "").startswith("text/event-stream")
    assert answer.readline() + answer.readline() == b"retry: 2000\n\n"
    return connection, answer


def test_a_commit_and_time_call_to_look_again(shown: Shown) -> None:
    connection, answer = stream(shown, "every=0&change=")
    shown.filled.push(80, "Wake somebody")
    assert answer.readline() == b"data: look\n"
    connection.close()
    connection, answer = stream(shown, "every=1")
    began = time.monotonic()
    assert answer.readline() == b"data: look\n"
    assert time.monotonic() - began > 0.5
    connection.close()


def test_open_pages_hold_no_thread(shown: Shown) -> None:
    held = [stream(shown, "every=60") for _ in range(30)]
    assert look(shown, "/flights").status == 200
    shown.filled.push(81, "Wake everybody")
    assert all(answer.readline() == b"data: look\n" for _, answer in held)
    for connection, _ in held:
        connection.close()


LISTS = {
    "ciranda.loop": ["changes_before", "change_by_number", "latest_changes", "change_of_run"],
    "ciranda.pipeline": ["runs_before", "run_by_number", "run_steps", "parts_of_run"],
    "ciranda.release": ["releases_before"],
    "ciranda.environment": ["revisions_before", "revisions_of_release"],
    "ciranda.feedback": ["incidents", "incident_by_number", "items", "events_between"],
}


@pytest.mark.parametrize(("room", "name"), [(room, name) for room, named in LISTS.items() for name in named])
def test_no_page_looks_through_a_whole_table(ledger: Ledger, room: str, name: str) -> None:
    db = ledger.open()
    migrations.migrate(db, [f"ciranda.{one}" for one in homes.ROOMS])
    statement = getattr(statements.load(room), name)
    named = {statement[a + 1 : b] for kind, a, b in statements.tokens(statement) if kind == "parameter"}
    given = {one: 1 if one in ("before", "most", "limit", "number", "open") else "x" for one in named}

    def plan(tx: database.Transaction) -> str:
        if ledger.on_postgres:
            tx.execute("SET LOCAL enable_seqscan = off")
            tx.execute("SET LOCAL enable_bitmapscan = off")
        return str(tx.query(("EXPLAIN " if ledger.on_postgres else "EXPLAIN QUERY PLAN ") + statement, **given))

    told = db.write(plan)
    assert "Seq Scan" not in told
    assert "SCAN" not in told
    assert "TEMP B-TREE" not in told
    assert "Sort" not in told


def test_pages_on_postgresql(tmp_path: Path, postgres_server: PostgresServer) -> None:
    with pages.filled(tmp_path / "home", url=postgres_server.fresh()) as filled:
        pages.busy(filled)
        with pages.shown(filled) as served:
            for path in pages.PATHS:
                assert look(served, path).status == 200, path
            connection, answer = stream(served, "every=60")
            filled.push(90, "Wake somebody")
            assert answer.readline() == b"data: look\n"
            connection.close()


def test_long_lists_come_in_pages(tmp_path: Path) -> None:
    with pages.filled(tmp_path / "home") as filled:
        pages.many(filled, runs=120, changed=60, released=0)
        with pages.shown(filled) as long:
            for kind, rows in (("runs", 120), ("changes", 60)):
                path, seen = f"/flights/{kind}", []
                while path:
                    text = look(long, path).body.decode()
                    seen += re.findall(rf'<tr id="{kind.removesuffix("s")}-(\d+)">', text)
                    older = re.search(r'href="([^"]+)" rel="next"', text)
                    path = older[1] if older else ""
                assert [int(number) for number in seen] == list(range(rows, 0, -1))
