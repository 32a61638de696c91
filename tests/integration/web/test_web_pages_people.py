"""The pages for several people: what each may see and do there, in both languages, and never what nobody was shown."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from ciranda.access import roles, sessions, tokens, users
from support import pages, spoken
from support.pages import PROJECT, Shown
from support.web import Answer, request

PROD = f"/{PROJECT}/environments/prod"
ACTS = [
    f"{PROD}/{act}"
    for act in ("promote?release=r4", "promote?release=r3", "approve?release=r3", "rollback", "hold", "let-go")
]
# What is called so, or is the same in both languages.
SAME = re.compile(
    r"Ciranda|Tokens|commit|Commit|p\d\d|main|test|prod|flights|delays?|nightly|daily|features|scores|raw_\w+|ana|bea|ciranda|admin|@data|"
    r"r\d|r\d → r\d|run-\d|(?:test|prod)#\d|id|day|origin|EWR|LOG_LEVEL|debug|info|predict|delay\.depth|depth \d|environments\.\w+|"
    r"Begin|Train deeper trees|Add weather features|Load the new files|Score the night's flights|<script>.*|"
    r"[✓✗–●!] \w+|[\d.,]+ ?(?:/s|m?s|min)|\d{4}-\d\d-\d\d\S*|auc [\d.]+(?:, prod [\d.]+)?|(?:\w+, )+\w+|"
    r"wind|carrier|AA|late|late prod|flights/prod/delays|\d+[hd]|mae 2, rmse 2, bias -2|"
    r"answers are late|bo|incident/\d|flights · Ciranda|prod#4 \(r4\) → r3"
)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with pages.filled(Path(tmp_path_factory.mktemp("pages")) / "home") as into:
        pages.busy(into)
        with pages.shown(into) as served:
            served.answer("r4", 50)
            served.answer("r4", 3, status=500)
            yield served


def signed_in(shown: Shown, user: str = "admin") -> str:
    """The cookie of a session."""
    database = shown.filled.database
    code = database.write(lambda tx: sessions.invite(tx, user))
    session = database.write(lambda tx: sessions.begin(tx, code))
    return f"ciranda_{shown.port}={session}"


def known(shown: Shown, name: str, *grants: roles.Grant) -> str:
    """The cookie of somebody who may do this."""
    database = shown.filled.database
    if users.find(database, name) is None:
        database.write(lambda tx: users.add(tx, name, actor="admin"))
        for grant in grants:
            database.write(lambda tx, grant=grant: users.grant(tx, name, grant, actor="admin"))
    return signed_in(shown, name)


def send(shown: Shown, path: str, cookie: str, **fields: str) -> Answer:
    return request(
        shown.port, "POST", path, body=urlencode(fields).encode(), Cookie=cookie,
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip


def seal(cookie: str) -> str:
    return sessions.seal(cookie.partition("=")[2])


@pytest.mark.parametrize("path", [*pages.PATHS, *ACTS, "/-/users", "/-/audit", "/nowhere"])
def test_no_english_is_left_in_portuguese_pages(shown: Shown, path: str) -> None:
    cookie = signed_in(shown)
    english = request(shown.port, "GET", path, Cookie=cookie)
    portuguese = request(shown.port, "GET", path, Cookie=cookie, Accept_Language="pt-BR,pt;q=0.9,en;q=0.5")
    assert b'<html lang="pt">' in portuguese.body
    left = set(spoken.texts(english.body)) & set(spoken.texts(portuguese.body))
    assert [text for text in sorted(left) if not SAME.fullmatch(text)] == []


def test_the_language_is_switched_by_a_link_and_kept(shown: Shown) -> None:
    cookie = signed_in(shown)
    answer = request(shown.port, "GET", "/flights?language=pt", Cookie=cookie)
    assert b"Latest changes" not in answer.body
    kept = answer.headers["set-cookie"].partition(";")[0]
    assert kept == f"ciranda_{shown.port}_language=pt"
    again = request(shown.port, "GET", f"{PROD}?before=3", Cookie=f"{cookie}; {kept}", Accept_Language="en")
    assert b'<html lang="pt">' in again.body
    assert b"?before=3&amp;language=en" in again.body


def test_a_form_is_of_one_session_and_of_what_was_shown(shown: Shown) -> None:
    cookie = known(shown, "bea", roles.Grant(PROJECT, "prod", "operator"))
    page = request(shown.port, "GET", f"{PROD}/rollback?to=r3", Cookie=cookie)
    assert page.status == 200
    revision = re.search(rb'name="revision" value="([^"]+)"', page.body)
    assert revision is not None
    said = {"revision": revision[1].decode(), "to": "r3", "reason": "late flights"}
    assert send(shown, f"{PROD}/rollback", cookie, **said).status == 403
    assert send(shown, f"{PROD}/rollback", cookie, seal="0" * 64, **said).status == 403
    assert send(shown, f"{PROD}/rollback", cookie, seal=seal(signed_in(shown)), **said).status == 403
    assert send(shown, f"{PROD}/rollback", "", seal=seal(cookie), **said).status == 401
    done = send(shown, f"{PROD}/rollback", cookie, seal=seal(cookie), **said)
    assert (done.status, done.headers["location"]) == (303, PROD)
    assert shown.acts()[-1] == ("rollback", PROJECT, "prod", "r3", "bea", "late flights", said["revision"])


def test_a_form_of_another_site_is_refused(shown: Shown) -> None:
    cookie = signed_in(shown)
    body = urlencode({"seal": seal(cookie), "reason": "x"}).encode()
    for more in ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}, {"Origin": "http://evil.example"}):
        told = {"Cookie": cookie, "Content_Type": "application/x-www-form-urlencoded", **more}
        assert request(shown.port, "POST", f"{PROD}/hold", body=body, **told).status == 403


def test_a_plan_that_became_another_one_is_neither_approved_nor_applied(shown: Shown) -> None:
    cookie = signed_in(shown)
    page = request(shown.port, "GET", f"{PROD}/promote?release=r3", Cookie=cookie)
    plan = re.search(rb'name="plan" value="(b3:[0-9a-f]{64})"', page.body)
    assert plan is not None
    fields = {"seal": seal(cookie), "release": "r3", "plan": plan[1].decode()}
    assert send(shown, f"{PROD}/promote", cookie, **fields).status == 303
    assert shown.acts()[-1] == ("promote", PROJECT, "prod", "r3", "admin", "", fields["plan"])
    other = fields | {"plan": f"b3:{'0' * 64}"}
    answer = send(shown, f"{PROD}/approve", cookie, **other)
    assert answer.status == 409
    assert b"has changed since" in answer.body
    assert send(shown, f"{PROD}/promote", cookie, emergency="1", **fields).status == 422  # it says no reason
    assert send(shown, f"{PROD}/promote", cookie, emergency="1", reason="fire", **fields).status == 303
    assert shown.acts()[-1][5] == "fire"


def test_who_may_not_act_sees_no_acts(shown: Shown) -> None:
    eve = known(shown, "eve", roles.Grant(PROJECT, "*", "developer"))
    page = request(shown.port, "GET", PROD, Cookie=eve)
    assert page.status == 200
    assert f"{PROD}/hold".encode() not in page.body
    assert f"{PROD}/hold".encode() in request(shown.port, "GET", PROD, Cookie=signed_in(shown)).body
    for act in ("promote", "approve", "rollback", "hold", "let-go"):
        assert request(shown.port, "GET", f"{PROD}/{act}", Cookie=eve).status == 403
        assert send(shown, f"{PROD}/{act}", eve, seal=seal(eve)).status == 403
    assert (
        request(
            shown.port,
            "GET",
            f"/{PROJECT}/environments/test/hold",
            Cookie=known(shown, "bea", roles.Grant(PROJECT, "prod", "operator")),
        ).status
        == 403
    )


def test_who_may_look_at_another_project_alone_sees_nothing_of_this_one(shown: Shown) -> None:
    zoe = known(shown, "zoe", roles.Grant("elsewhere", "*", "admin"))
    for path in [one for one in pages.PATHS if one.startswith(f"/{PROJECT}")]:
        answer = request(shown.port, "GET", path, Cookie=zoe)
        assert answer.status == 404, path
    assert f"/{PROJECT}".encode() not in request(shown.port, "GET", "/", Cookie=zoe).body
    log = request(shown.port, "GET", "/-/audit", Cookie=zoe)
    assert b"user.added" not in log.body
    assert b"bea" not in request(shown.port, "GET", "/-/users", Cookie=zoe).body


def test_a_session_ends_with_its_token_its_user_and_its_button(shown: Shown) -> None:
    database = shown.filled.database
    known(shown, "kim", roles.Grant("*", "*", "viewer"))
    plain, made = database.write(lambda tx: tokens.make(tx, "kim", actor="admin"))
    begun = []
    for _ in range(2):
        code = request(shown.port, "POST", "/api/v1/invitations", token=plain).json["code"]
        answer = request(shown.port, "GET", f"/login?code={code}")
        begun.append(answer.headers["set-cookie"].partition(";")[0])
    assert request(shown.port, "GET", "/", Cookie=begun[0]).status == 200
    assert send(shown, "/-/leave", begun[0], seal="no").status == 403
    assert send(shown, "/-/leave", begun[0], seal=seal(begun[0])).status == 303
    assert request(shown.port, "GET", "/", Cookie=begun[0]).status == 401
    assert request(shown.port, "GET", "/", Cookie=begun[1]).status == 200
    database.write(lambda tx: tokens.revoke(tx, made.id, actor="admin"))
    assert request(shown.port, "GET", "/", Cookie=begun[1]).status == 401
    other = signed_in(shown, "kim")
    assert request(shown.port, "GET", "/", Cookie=other).status == 200
    database.write(lambda tx: users.remove(tx, "kim", actor="admin"))
    assert request(shown.port, "GET", "/", Cookie=other).status == 401


def test_the_stream_of_a_revoked_session_ends(shown: Shown) -> None:
    import http.client

    database = shown.filled.database
    cookie = known(shown, "lia", roles.Grant("*", "*", "viewer"))
    connection = http.client.HTTPConnection("127.0.0.1", shown.port, timeout=60)
    try:
        connection.request("GET", "/-/events?every=0", headers={"Cookie": cookie})
        stream = connection.getresponse()
        assert stream.status == 200
        assert stream.readline() == b"retry: 2000\n"
        database.write(lambda tx: users.remove(tx, "lia", actor="admin"))
        rest = stream.read()  # it ends by itself
        assert b"look" not in rest
    finally:
        connection.close()
