"""Digests and the canonical form: golden values, and laws."""

import json
from pathlib import Path
from typing import Any

import blake3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import digest, errors

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def test_a_digest_is_blake3_of_the_type_the_version_and_the_bytes() -> None:
    assert digest.digest("object", b"abc") == "b3:" + blake3.blake3(b"ciranda:object:1\nabc").hexdigest()
    assert digest.digest("key", b"", 2) == "b3:" + blake3.blake3(b"ciranda:key:2\n").hexdigest()


def test_digests_are_what_they_were() -> None:
    """For ever: a change here makes every home unreadable."""
    assert digest.digest("object", b"") == "b3:b6887f1b536e2c04d892728e3a93421b761ec33f786ee714fb91e51e471154c6"
    assert digest.of("manifest", {"b": 1, "a": [None, True, "é"]}) == (
        "b3:34db54acadafa22e40c7abf5838ed9220335173ade02516e9f0b5077ca8d599b"
    )


@given(
    data=st.binary(max_size=100), types=st.lists(st.sampled_from(["object", "key", "event"]), min_size=2, unique=True)
)
def test_types_are_kept_apart(data: bytes, types: list[str]) -> None:
    assert digest.digest(types[0], data) != digest.digest(types[1], data)


@pytest.mark.parametrize("size", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_a_file_has_the_digest_of_its_bytes(tmp_path: Path, size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    path = tmp_path / "file"
    path.write_bytes(data)
    assert digest.of_file(path) == digest.digest("object", data)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": {"d": [], "c": ()}}, '{"a":{"c":[],"d":[]},"b":1}'),
        ({"ä": 1, "z": 2, "\U0001f600": 3, "\uffee": 4}, '{"z":2,"ä":1,"\uffee":4,"\U0001f600":3}'),
        ([1, 1.0, -0.0, 1e300, True, None, "\n\u2028"], '[1,1.0,-0.0,1e+300,true,null,"\\n\u2028"]'),
        ("\x00\x1f", '"\\u0000\\u001f"'),
    ],
)
def test_the_canonical_form(value: Any, text: str) -> None:
    assert digest.canonical(value) == text.encode()


@given(value=values)
def test_what_is_canonical_stays_so(value: Any) -> None:
    data = digest.canonical(value)
    assert digest.parse(data) == value
    assert digest.canonical(digest.parse(data)) == data
    assert digest.canonical(json.loads(json.dumps(value, indent=3))) == data


@given(value=st.dictionaries(st.text(max_size=3), values, min_size=2))
def test_the_order_of_keys_does_not_count(value: dict[str, Any]) -> None:
    assert digest.canonical(dict(reversed(value.items()))) == digest.canonical(value)


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        {1: 2},
        {None: 1},
        {"a": {True: 1}},
        b"x",
        {1, 2},
        object(),
        "\ud800",
        [{"\udfff": 1}],
    ],
)
def test_what_has_no_canonical_form_is_refused(value: Any) -> None:
    with pytest.raises(errors.Invalid, match="canonical"):
        digest.canonical(value)


def test_what_is_too_deep_is_refused() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(errors.Invalid):
        digest.canonical(value)
    with pytest.raises(errors.Invalid):
        digest.parse(b"[" * 100_000)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b'{"a":1,"a":2}', "'a' is there twice"),
        (b'[{"b":{"a":1,"c":1,"a":1}}]', "'a' is there twice"),
        (b"NaN", "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[1e999]", "too large"),
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff", "JSON"),
        (b"1" * 5000, "JSON"),
    ],
)
def test_what_is_not_json_as_it_is_kept_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(errors.Invalid, match=said):
        digest.parse(data)


@given(data=st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        value = digest.parse(data)
    except errors.Invalid:
        return
    digest.canonical(value) if "\\ud" not in repr(data).lower() else None


@pytest.mark.parametrize("text", ["b3:" + "0" * 64, digest.digest("object", b"")])
def test_what_is_a_digest(text: str) -> None:
    assert digest.is_digest(text)


@pytest.mark.parametrize(
    "text", ["", "b3:", "b3:" + "0" * 63, "b3:" + "0" * 65, "b3:" + "F" * 64, "b4:" + "0" * 64, None, 3]
)
def test_what_is_not(text: object) -> None:
    assert not digest.is_digest(text)
