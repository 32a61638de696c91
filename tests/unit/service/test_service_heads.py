"""Heads: what is read from treated headers, and what is written."""

import pytest

from ciranda.service.gateway import heads, plain


def lines(asked: heads.Asked | heads.Refusal) -> list[bytes]:
    assert isinstance(asked, heads.Asked)
    return sorted(asked.lines.split(b"\r\n")[:-1])


@pytest.mark.parametrize("rest", [[], [(b"content-length", b"5")]])
def test_the_short_way_and_the_long_way_write_the_same(rest: list[tuple[bytes, bytes]]) -> None:
    short = heads.asked([(b"host", b"a"), *rest], "1.1", b"1.2.3.4")
    long = heads.asked([(b"host", b"a"), *rest, (b"connection", b"keep-alive")], "1.1", b"1.2.3.4")
    assert lines(short) == lines(long)
    assert isinstance(short, heads.Asked)
    assert short.length == (5 if rest else 0)


@pytest.mark.parametrize("host", [b"", b"a b", b"a/b", b"a,b", b"\xff"])
@pytest.mark.parametrize("more", [[], [(b"connection", b"close")]])
def test_what_is_not_a_host_is_refused(host: bytes, more: list[tuple[bytes, bytes]]) -> None:
    asked = heads.asked([(b"host", host), *more], "1.1", b"p")
    assert isinstance(asked, heads.Refusal)
    assert asked.status == 400


@pytest.mark.parametrize(
    ("target", "found"),
    [
        (b"/flights/prod/delays", (b"/flights/prod/delays", b"/")),
        (b"/flights/prod/delays/", (b"/flights/prod/delays", b"/")),
        (b"/flights/prod/delays?x=/y", (b"/flights/prod/delays", b"/?x=/y")),
        (b"/flights/prod/delays/a//b/../c?d", (b"/flights/prod/delays", b"/a//b/../c?d")),
        (b"/a/b/c-1/", (b"/a/b/c-1", b"/")),
        (b"/flights/prod", None),
        (b"/flights//delays/", None),
        (b"/Flights/prod/delays/", None),
        (b"/flights%2fprod/delays/x/", None),
        (b"http://h/flights/prod/delays/", None),
        (b"*", None),
        (b"", None),
    ],
)
def test_routes_in_targets(target: bytes, found: tuple[bytes, bytes] | None) -> None:
    assert heads.routed(target) == found


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        (b"ciranda=1", True),
        (b" Ciranda_session=1; Path=/", True),
        (b"__Host-ciranda-x=1", True),
        (b"__Secure-ciranda", True),
        (b"mine=ciranda", False),
        (b"my_ciranda=1", False),
    ],
)
def test_our_cookies(value: bytes, ours: bool) -> None:
    assert heads.our_cookie(value) is ours


def test_heads_of_answers_are_remembered_within_bounds() -> None:
    answers = plain.Answers()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    for length in range(3000):
        for _ in range(2):
            known = answers.read(head % length)
            assert known
            assert known.length == length
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: " + b"y" * 5000 + b"\r\n\r\n"
    assert answers.read(long) is not answers.read(long)
