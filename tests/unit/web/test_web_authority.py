"""Who asks, under which name, from which page."""

import base64

import pytest

from ciranda.access.tokens import User
from ciranda.web import authority

KNOWN = authority.addresses(7700)


def basic(pair: bytes) -> bytes:
    return b"Basic " + base64.b64encode(pair)


@pytest.mark.parametrize(
    ("sent", "token"),
    [
        (b"Bearer abc", "abc"), (b"bearer  abc ", "abc"), (basic(b"ada:abc"), "abc"), (basic(b":a:b"), "a:b"),
        (b"", None), (b"Bearer", None), (b"Bearer ", None),
        (b"Basic !!", None), (basic(b"ada:"), None), (basic(b"ada"), None), (basic(b"\xff:x"), None), (b"Digest abc", None),
    ],
)  # fmt: skip
def test_the_token_of_a_request(sent: bytes, token: str | None) -> None:
    assert authority.token_of({b"authorization": sent}) == token


def test_no_header_is_no_token() -> None:
    assert authority.token_of({}) is None


@pytest.mark.parametrize("host", [b"127.0.0.1:7700", b"localhost:7700", b"[::1]:7700", b"LOCALHOST:7700"])
def test_names_of_this_server(host: bytes) -> None:
    assert authority.check_source({b"host": host}, KNOWN) is None
    assert authority.check_source({b"host": host, b"origin": b"http://localhost:7700"}, KNOWN) is None


@pytest.mark.parametrize(
    "host",
    [b"", b"localhost", b"localhost:7701", b"evil.example", b"127.0.0.1:7700.evil.example", b"127.0.0.1:7700@evil"],
)
def test_other_names(host: bytes) -> None:
    denied = authority.check_source({b"host": host}, KNOWN)
    assert denied is not None
    assert denied.status == 403


@pytest.mark.parametrize(
    "origin", [b"null", b"", b"http://evil.example", b"https://127.0.0.1:7700", b"http://127.0.0.1:7701"]
)
def test_other_origins(origin: bytes) -> None:
    assert authority.check_source({b"host": b"localhost:7700", b"origin": origin}, KNOWN) is not None


def test_roles() -> None:
    statuses = {}
    for role in ("viewer", "developer", "operator", "admin"):
        denied = authority.check_user(User("ana", role), "t", "developer")
        statuses[role] = denied.status if denied else 200
    assert statuses == {"viewer": 403, "developer": 200, "operator": 200, "admin": 200}
    for user, token in ((None, None), (None, "t")):
        denied = authority.check_user(user, token, "viewer")
        assert denied is not None
        assert denied.status == 401
