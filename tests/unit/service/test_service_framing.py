"""Framing, tried with hostile bytes: whatever comes in, what an instance reads has one meaning."""

import httptools
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.service.gateway import plain
from support.service import Wire

LINES = st.sampled_from(
    [
        b"Host: a",
        b"Host: b:80",
        b"Host : a",
        b" Host: a",
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"content-length:5",
        b"Content-Length: 5, 5",
        b"Content-Length: +5",
        b"Content-Length: 0x5",
        b"Content-Length: 5 5",
        b"Content-Length: 99999999999999999999",
        b"Content_Length: 7",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding: Chunked",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: chunked, identity",
        b"Transfer-Encoding : chunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer_Encoding: chunked",
        b"X: y\r\n z",
        b"X: y\nTransfer-Encoding: chunked",
        b"X: y\rContent-Length: 5",
        b"X-Ciranda-Release: r9",
        b"X_Ciranda_Release: r9",
        b"X-Request-Id: abc",
        b"X-Request-Id: a b\tc",
        b"X-Forwarded-Prefix: /evil",
        b"X-Forwarded-For: 1.2.3.4",
        b"Connection: close",
        b"Connection: keep-alive",
        b"Connection: x-secret, host",
        b"X-Secret: 1",
        b"Connection: upgrade\r\nUpgrade: h2c",
        b"Connection: Upgrade\r\nUpgrade: websocket",
        b"Cookie: a=1; ciranda_session=2; b=3",
        b"Expect: 100-continue",
        b"Expect: the worst",
        b"TE: trailers",
        b"Trailer: Host",
        b"X: \x00",
        b"X: \xff",
        b": y",
        b"X",
    ]
)
STARTS = st.sampled_from(
    [
        b"GET /a/b/c/ HTTP/1.1",
        b"POST /a/b/c HTTP/1.1",
        b"POST /a/b/c?x=/a/b/d HTTP/1.1",
        b"PUT /a/b/c/../../d HTTP/1.0",
        b"HEAD /a/b/c/ HTTP/1.1",
        b"GET http://evil/a/b/c/ HTTP/1.1",
        b"GET /a/b/c/ HTTP/1.2",
        b"GET /a/b/c/ HTTP/2.0",
        b"get /a/b/c/ HTTP/1.1",
        b"GET  /a/b/c/ HTTP/1.1",
        b"GET /a/b/c/\xff HTTP/1.1",
        b"GET /a/b/c/#x HTTP/1.1",
        b"GET /a/b/c/",
        b"CONNECT a:1 HTTP/1.1",
        b"OPTIONS * HTTP/1.1",
        b"GET /nowhere HTTP/1.1",
        b"\x16\x03\x01",
    ]
)
BODIES = st.sampled_from(
    [
        b"",
        b"hello",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5;x=y\r\nhello\r\n0\r\nHost: evil\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"0\r\n\r\n",
        b"ffffffffffffffffff\r\nx",
        b"GET /a/b/c/smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
    ]
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    lines = [draw(STARTS), *draw(st.lists(LINES, max_size=4))]
    if draw(st.booleans()):
        lines.insert(1, b"Host: a")
    return end.join(lines) + end + end + draw(BODIES)


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    data = b"".join(draw(st.lists(messages(), min_size=1, max_size=3)))
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=5)))
    return data, [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@settings(max_examples=300, deadline=None)
@given(streams())
def test_what_an_instance_reads_has_one_meaning(stream: tuple[bytes, list[bytes]]) -> None:
    data, pieces = stream
    whole = Wire(data)
    for request in whole.requests():  # raises AssertionError for what a strict reader would not take
        names = [name for name, _ in request.headers]
        assert names.count(b"host") == 1
        assert names.count(b"x-request-id") == 1
        assert names.count(b"x-forwarded-prefix") == 1
        assert dict(request.headers)[b"x-forwarded-prefix"] == b"/a/b/c"
        assert not {b"content-length", b"transfer-encoding"} <= set(names)
        assert not [
            name for name in names if name.replace(b"_", b"-").startswith((b"x-ciranda-", b"content_", b"transfer_"))
        ]
        assert b"ciranda" not in dict(request.headers).get(b"cookie", b"")
        assert dict(request.headers).get(b"upgrade", b"websocket") == b"websocket"
        assert request.target.startswith(b"/")
    cut = Wire(*pieces)
    assert [(r.method, r.target, r.body) for r in cut.requests()] == [
        (r.method, r.target, r.body) for r in whole.requests()
    ]
    assert cut.statuses() == whole.statuses()


def test_requests_in_one_piece_are_all_answered() -> None:
    wire = Wire(b"GET /a/b/c/ HTTP/1.1\r\nHost: a\r\n\r\n" * 5)
    assert (len(wire.requests()), wire.statuses()) == (5, [200] * 5)


class Recorder:
    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.parser: httptools.HttpRequestParser | httptools.HttpResponseParser | None = None
        self.keeps = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.whole = True
        assert self.parser
        self.keeps = self.parser.should_keep_alive()


VALUES = st.binary(max_size=12) | st.sampled_from([b" a ", b"\ta", b"close", b"5", b"", b"a, b"])
NAMES = st.binary(min_size=1, max_size=6) | st.sampled_from([b"Host", b"Content-Length", b"Connection", b"X-A", b"X_A"])


@settings(max_examples=800, deadline=None)
@given(
    st.sampled_from([b"GET", b"POST", b"DELETE", b"FOO"]),
    st.binary(max_size=6) | st.sampled_from([b"a?b", b"%20", b"a#b", b"\x80", b"[x]", b"^"]),
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
)
def test_a_plain_request_is_one_that_the_parser_takes_and_means_the_same(
    method: bytes, rest: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    head = b"%b /%b HTTP/1.1\r\n" % (method, rest) + b"".join(b"%b:%b\r\n" % pair for pair in headers) + b"\r\n"
    known = plain.request(head, plain.Names())
    if known is None:
        return
    recorder = Recorder()
    parser = recorder.parser = httptools.HttpRequestParser(recorder)
    parser.feed_data(head)
    assert recorder.whole
    assert (parser.get_method(), recorder.url) == (known.method, known.target)
    assert recorder.keeps == known.keep_alive
    pairs = [(name.lower(), value.strip(b" \t")) for name, value in recorder.headers]
    assert known.length == int(dict(pairs).get(b"content-length", b"0"))
    passed = [line.partition(b":") for line in known.lines.split(b"\r\n")[:-1]]
    mine = [(name.lower(), value.strip(b" \t")) for name, _, value in passed] + known.treated
    dropped = [pair for pair in pairs if b"_" in pair[0] or pair[0].startswith(b"x-ciranda-")]
    assert sorted(mine + [pair for pair in dropped if pair not in mine]) == sorted(pairs)


@settings(max_examples=800, deadline=None)
@given(
    st.sampled_from([b"200 OK", b"404 ", b"999 X", b"500 \x80", b"200"]),
    st.lists(st.tuples(NAMES | st.sampled_from([b"Transfer-Encoding", b"Set-Cookie"]), VALUES), max_size=4),
)
def test_a_plain_answer_is_one_that_the_parser_takes_and_means_the_same(
    status: bytes, headers: list[tuple[bytes, bytes]]
) -> None:
    head = b"HTTP/1.1 %b\r\n" % status + b"".join(b"%b:%b\r\n" % pair for pair in headers) + b"\r\n"
    known = plain.answer(head, plain.Names())
    if known is None:
        return
    recorder = Recorder()
    parser = recorder.parser = httptools.HttpResponseParser(recorder)
    parser.feed_data(head)
    assert recorder.whole
    assert parser.get_status_code() == known.status
    assert recorder.keeps == known.kept
    assert known.length == int({name.lower(): value for name, value in recorder.headers}[b"content-length"])
