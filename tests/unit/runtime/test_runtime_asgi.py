"""Whose request an application is told it is, and what is taken for an application."""

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.runtime import asgi


@pytest.mark.parametrize(
    ("forwarded", "told"),
    [
        (["127.0.0.1"], "127.0.0.1"),
        (["198.51.100.1", "203.0.113.7", "127.0.0.1"], "203.0.113.7"),  # what stands before may be made up
        ([" 203.0.113.7 ", "::1"], "203.0.113.7"),
        (["[2001:db8::1]", "127.0.0.1"], "2001:db8::1"),
        (["10.0.0.1", "unknown", "127.0.0.1"], "127.0.0.1"),
        ([""], None),
        (["nonsense"], None),
    ],
)
def test_the_client_is_the_last_address_that_is_not_this_machine_s(forwarded: list[str], told: str | None) -> None:
    assert asgi.client(forwarded) == told


@given(st.lists(st.text()))
def test_whatever_is_sent_is_an_address_or_nobody(forwarded: list[str]) -> None:
    told = asgi.client(forwarded)
    assert told is None or told.strip("0123456789abcdef:.%") == "" or "%" in told


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("async def app(scope, receive, send): ...", ""),
        ("def make():\n    async def made(scope, receive, send): ...\n    return made\napp = make()", ""),
        ("def app():\n    async def made(scope, receive, send): ...\n    return made", ""),  # a factory
        ("class Old:\n    async def __call__(self, scope, receive, send): ...\napp = Old()", ""),
        ("class app:\n    def __init__(self, scope, receive, send): ...\n    def __await__(self): ...", ""),
        ("async def app(*anything): ...", ""),
        ("x = 1", "has no app"),
        ("app = 'text'", "of the type str"),
        ("def app(): return 3", "of the type int"),
        ("def app(environ, start_response): ...", "WSGI"),
        ("def app(scope): ...", "takes 1 values"),
    ],
)
def test_an_application_takes_scope_receive_and_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, said: str
) -> None:
    (tmp_path / "some_application.py").write_text(code)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "some_application", raising=False)
    if not said:
        assert callable(asgi.load("some_application:app"))
        return
    with pytest.raises(asgi.Unservable, match=said):
        asgi.load("some_application:app")


@pytest.mark.parametrize(
    ("kind", "proto", "scheme"),
    [
        ("http", b"http", "http"),
        ("http", b"https", "https"),
        ("websocket", b"http", "ws"),
        ("websocket", b"https", "wss"),
    ],
)
def test_the_scheme_is_the_one_that_the_gateway_was_asked_by(kind: str, proto: bytes, scheme: str) -> None:
    seen: dict[str, Any] = {}

    async def application(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope)

    headers = [(b"x-forwarded-proto", proto), (b"x-forwarded-for", b"198.51.100.1"), (b"x-forwarded-for", b"127.0.0.1")]
    asked = asgi.Forwarded(application)({"type": kind, "headers": headers}, None, None)  # type: ignore[arg-type]
    with pytest.raises(StopIteration):
        asked.send(None)
    assert (seen["scheme"], seen["client"]) == (scheme, ("198.51.100.1", 0))
