"""Frames: what is sent is what arrives, and what is no frame is refused."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.runtime import inputs, protocol

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda v: st.lists(v) | st.dictionaries(st.text(), v),
    max_leaves=6,
)
HEADERS = st.dictionaries(st.text(), VALUES).map(lambda header: {**header, "type": "step"})


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    read, write = os.pipe()
    yield read, write
    for descriptor in (read, write):
        try:
            os.close(descriptor)
        except OSError:
            continue


@given(frames=st.lists(st.tuples(HEADERS, st.binary(max_size=200_000)), max_size=4))
def test_frames_come_back_in_order(frames: list[tuple[dict[str, Any], bytes]]) -> None:
    read, write = os.pipe()

    def send() -> None:
        for header, payload in frames:
            protocol.send(write, header, payload)
        os.close(write)

    sender = threading.Thread(target=send)
    sender.start()
    found = []
    while (frame := protocol.receive(read)) is not None:
        found.append(frame)
    sender.join()
    os.close(read)
    assert found == frames


def test_surrogates_of_broken_file_names_travel(pipe: tuple[int, int]) -> None:
    protocol.send(pipe[1], {"type": "log", "text": "\udcff"})
    assert protocol.receive(pipe[0]) == ({"type": "log", "text": "\udcff"}, b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff" * 8, "is above"),
        (b"\x00\x00", "ended inside a frame"),
        (b"\x00\x00\x00\x05\x00\x00\x00\x00ab", "ended inside a frame"),
        (b"\x00\x00\x00\x02\x00\x00\x00\x00{]", "not JSON"),
        (b"\x00\x00\x00\x02\x00\x00\x00\x00[]", "not an object with a `type`"),
        (b"\x00\x00\x00\x02\x00\x00\x00\x00{}", "not an object with a `type`"),
        (b"\x00\x00\x00\x01\x00\x00\x00\x00\xff", "not JSON"),
    ],
)
def test_what_is_no_frame_is_refused(pipe: tuple[int, int], data: bytes, says: str) -> None:
    os.write(pipe[1], data)
    os.close(pipe[1])
    with pytest.raises(protocol.ProtocolError, match=says):
        protocol.receive(pipe[0])


def test_inline_inputs_follow_one_another() -> None:
    given = {"a": {"inline": True, "size": 2}, "b": {"path": "in/b"}, "c": {"inline": True, "size": 1}, "d": None}
    assert inputs.slices(given, b"xyz") == {"a": b"xy", "c": b"z"}
    assert inputs.slices({"a": {"inline": True}}, b"xyz") == {"a": b"xyz"}
    with pytest.raises(inputs.Failure, match="the inline inputs take 3 bytes, but the payload has 4"):
        inputs.slices(given, b"wxyz")
