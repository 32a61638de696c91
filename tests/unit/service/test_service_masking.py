"""Masking: any cut masks equally, nothing else is lost, and none of a thousand leaks passes."""

import base64
import itertools
import json
import random
import shlex
import string
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ciranda.service import masking

VALUES = [
    b"hunter2!",
    b"pa ss/w+rd%41",
    b"\xc3\xa9'\"\\$x`y",
    b"aaaa",
    "žluťoučký 😀 kůň".encode(),
    bytes(range(7, 47)),
]
TEXT = st.one_of(
    st.binary(max_size=12),
    st.text("aehpsrtun2!%41\\'\"&;x0\n\r +=/-_", max_size=12).map(str.encode),
    st.sampled_from(VALUES),
    st.sampled_from([part for value in VALUES for part in (value[:3], value[2:], base64.b64encode(value), quote(value).encode())]),
    st.sampled_from([b"%", b"\\", b"\\u", b"\\ud83d", b"\\\\u00", b"'\"'", b"%25", b"\\\\", b"&am", b"a" * 61, b"\r\n", b"\\r\\n"]),
)  # fmt: skip


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


@given(st.lists(TEXT, max_size=12).map(b"".join), st.lists(st.integers(0, 400), max_size=8))
@example(b"aaaaaaaaaaaa", [1, 2, 3])
def test_any_cut_masks_equally(data: bytes, places: list[int]) -> None:
    whole = masking.mask(data, VALUES)
    masker = masking.Masker(VALUES)
    assert b"".join([*map(masker.feed, cut(data, places)), masker.end()]) == whole
    bytewise = masking.Masker(VALUES)
    assert b"".join([*(bytewise.feed(bytes([byte])) for byte in data), bytewise.end()]) == whole


@given(
    st.lists(
        st.one_of(st.text("qzv \n{}:,.%\\'&;", max_size=20).map(str.encode), st.sampled_from(VALUES[:2])), max_size=12
    )
)
def test_nothing_but_secrets_is_lost(pieces: list[bytes]) -> None:
    spaced = [b"|" + piece + b"|" for piece in pieces]
    wanted = b"".join(b"|***|" if piece in VALUES else b"|" + piece + b"|" for piece in pieces)
    assert masking.mask(b"".join(spaced), VALUES[:2]) == wanted


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_without_values_everything_passes(data: bytes, places: list[int]) -> None:
    masker = masking.Masker([b""])
    assert [*map(masker.feed, cut(data, places))] == cut(data, places)


def test_what_is_whole_is_not_held_back() -> None:
    masker = masking.Masker([b"hunter2!"])
    assert masker.feed(b"ready\n") == b"ready\n"
    assert masker.feed(b"with hun") == b"with "
    assert masker.feed(b"ger\n") == b"hunger\n"
    assert masker.feed(b"as hunter2!\n") == b"as ***\n"


def test_a_long_run_is_held_back_no_longer_than_a_value() -> None:
    masker = masking.Masker([b"aaaa"])
    given_out = b"".join(masker.feed(b"a" * 1000) for _ in range(100))
    assert given_out == b"***"
    assert masker.feed(b"b") + masker.end() == b"b"


def test_lines_of_a_value_and_the_password_of_an_address_are_secrets_of_their_own() -> None:
    pem = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0\nshort\n-----END PRIVATE KEY-----\n"
    assert masking.mask(b"> MIIEvQIBADANBgkqhkiG9w0 <", [pem]) == b"> *** <"
    assert (
        masking.mask(b"login failed: s3cr%40t / s3cr@t", [b"postgres://me:s3cr%40t@host/db"])
        == b"login failed: *** / s3cr@t"
    )
    account = json.dumps({"private_key": pem.decode(), "type": "x"}).encode()
    assert b"MIIEvQ" not in masking.mask(pem, [account])


def javascript(value: bytes) -> str:
    """As `encodeURIComponent` writes it."""
    return quote(value, safe="-_.!~*'()")


def shell(text: str) -> str:
    """As `printf %q` of bash writes it."""
    return "".join(letter if letter.isalnum() else f"\\{letter}" for letter in text)


def go(text: str) -> str:
    """As the encoders of Go write it."""
    return json.dumps(text).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "plain": str.encode,
    "base64, offset 0": lambda text: base64.b64encode(text.encode()),
    "base64, offset 1": lambda text: base64.b64encode(b"u" + text.encode() + b"zz"),
    "base64, offset 2": lambda text: base64.b64encode(b"u:" + text.encode() + b"z"),
    "base64, URL-safe 0": lambda text: base64.urlsafe_b64encode(text.encode()),
    "base64, URL-safe 1": lambda text: base64.urlsafe_b64encode(b"\xff" + text.encode()),
    "base64, URL-safe 2": lambda text: base64.urlsafe_b64encode(b"\xff\xfe" + text.encode()).rstrip(b"="),
    "base64 in a URL": lambda text: quote(base64.b64encode(text.encode()), safe="").encode(),
    "base64, wrapped": lambda text: base64.encodebytes(b"x" * 50 + text.encode() * 2),
    "base64, wrapped, in JSON": lambda text: json.dumps(base64.encodebytes(b"x" * 50 + text.encode() * 2).decode()).encode(),
    "URL": lambda text: quote(text, safe="").encode(),
    "URL, a path": lambda text: quote(text).encode(),
    "URL, a form": lambda text: quote_plus(text).encode(),
    "URL, as browsers do": lambda text: javascript(text.encode()).encode(),
    "URL, small hexadecimal": lambda text: quote(text, safe="").lower().encode() if text.islower() else quote(text).encode(),
    "URL, every byte": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()).encode(),
    "URL, twice": lambda text: quote(quote(text, safe=""), safe="").encode(),
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False).encode(),
    "JSON, slashes": lambda text: json.dumps(text).replace("/", "\\/").encode(),
    "JSON, as Go does": lambda text: go(text).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"key": text})).encode(),
    "JSON, every letter": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text if ord(letter) < 1 << 16).encode()
    if all(ord(letter) < 1 << 16 for letter in text) else json.dumps(text).encode(),
    "Python": lambda text: repr(text.encode()).encode(),
    "shell": lambda text: shlex.quote(text).encode(),
    "shell, backslashes": lambda text: shell(text).encode(),
    "shell, single quotes": lambda text: ("'" + text.replace("'", "'\\''") + "'").encode(),
    "shell, double quotes": lambda text: ('"' + "".join(f"\\{c}" if c in '"\\$`' else c for c in text) + '"').encode(),
    "HTML": lambda text: text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("'", "&#39;").encode(),
    "hexadecimal": lambda text: text.encode().hex().encode(),
}  # fmt: skip
ALPHABETS = [
    string.ascii_letters + string.digits,
    string.printable[:94],
    string.printable[:94] + " éß漢😀",
    "'\"\\$`&<>%+/=?#",
]


def corpus() -> list[tuple[str, str, bytes]]:
    """A thousand leaks: how it is written, the secret, and the line that leaks it."""
    dice = random.Random(2026)
    leaks = []
    for number in range(1000):
        name = list(ENCODINGS)[number % len(ENCODINGS)]
        alphabet = ALPHABETS[dice.randrange(len(ALPHABETS))]
        secret = "".join(dice.choice(alphabet) for _ in range(dice.randint(8, 60))).strip() or "hunter2!hunter2!"
        leaks.append((name, secret, b'{"at": "now", "told": ' + ENCODINGS[name](secret) + b"}\n"))
    return leaks


@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_none_of_a_thousand_leaks_passes(size: int) -> None:
    passed = []
    for name, secret, line in corpus():
        masker = masking.Masker([secret.encode()])
        out = b"".join(masker.feed(line[at : at + size]) for at in range(0, len(line), size)) + masker.end()
        rest = out.removeprefix(b'{"at": "now", "told": ').removesuffix(b"}\n").replace(b"***", b"")
        if not out.startswith(b'{"at": "now", "told": ') or len(rest) > slack(name, line) or secret.encode() in out:
            passed.append((name, secret, out))
    assert passed == []


def slack(name: str, line: bytes) -> int:
    """Bytes around a leak that say nothing of it: quotes, and what base64 mixes with its neighbours."""
    if name.startswith("base64, wrapped"):
        return 80
    return 30 if name.startswith(("base64", "JSON in JSON")) else 4
