"""The proc-receive protocol: what one end writes, the other reads; nothing else gets through."""

import io
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.versions import pushes
from ciranda.versions.pushes import Done, Push, Refused, Update

oids = st.text("0123456789abcdef", min_size=40, max_size=40)
names = st.text(string.ascii_letters + string.digits + "-./_é✓", min_size=1, max_size=60).map(
    lambda name: f"refs/heads/{name}"
)
updates = st.builds(Update, ref=names, old=oids, new=oids)
options = st.text(st.characters(blacklist_characters="\n\0", blacklist_categories=("Cs",)), max_size=200)
reasons = st.text(string.ascii_letters + " :,✗", min_size=1, max_size=80).map(str.strip).filter(bool)
reports = st.lists(
    st.one_of(
        st.builds(Refused, ref=names, reason=reasons),
        st.builds(
            Done, ref=names, landed=st.none() | names, old=st.none() | oids, new=st.none() | oids, forced=st.booleans()
        ),
    ),
    max_size=8,
)


@given(st.lists(updates, max_size=20).map(tuple), st.lists(options, max_size=5).map(tuple), st.booleans())
def test_a_push_survives_the_wire(wanted: tuple[Update, ...], chosen: tuple[str, ...], atomic: bool) -> None:
    wire = io.BytesIO()
    push = Push(wanted, chosen, atomic)
    pushes.write_push(wire, push)
    wire.seek(0)
    answer = io.BytesIO()
    assert pushes.read_push(wire, answer) == push
    assert wire.read() == b""
    assert answer.getvalue()[4:].startswith(b"version=1\0")
    assert answer.getvalue().endswith(b"0000")


@given(reports)
def test_a_report_survives_the_wire(report: list[Done | Refused]) -> None:
    wire = io.BytesIO()
    pushes.write_report(wire, report)
    wire.seek(0)
    assert pushes.read_report(wire) == report


@given(st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(data: bytes) -> None:
    try:
        pushes.read_push(io.BytesIO(data), io.BytesIO())
    except errors.Invalid:
        return


@given(st.binary(max_size=pushes.LARGEST) | st.none())
def test_a_packet_survives_the_wire(data: bytes | None) -> None:
    wire = io.BytesIO()
    pushes.write_packet(wire, data)
    wire.seek(0)
    assert pushes.read_packet(wire) == data


def test_a_packet_that_is_too_long_is_refused() -> None:
    with pytest.raises(errors.Invalid, match="65516"):
        pushes.write_packet(io.BytesIO(), b"x" * 65517)


@pytest.mark.parametrize(
    "wire", [b"", b"00", b"zzzz", b"0003", b"0009ab", b"000eversion=9\0", b"000eversion=9\0000000"]
)
def test_what_is_no_push_is_refused(wire: bytes) -> None:
    with pytest.raises(errors.Invalid):
        pushes.read_push(io.BytesIO(wire), io.BytesIO())


def test_a_reason_stays_one_line_that_a_terminal_cannot_obey() -> None:
    refused = Refused("refs/heads/main", "no\nok refs/heads/main\x1b[2J\r")
    assert pushes.report_lines(refused) == [b"ng refs/heads/main nook refs/heads/main[2J"]
    assert pushes.report_lines(Refused("refs/heads/main", "\n")) == [b"ng refs/heads/main refused"]


def test_a_long_reason_is_cut_between_characters() -> None:
    (line,) = pushes.report_lines(Refused("refs/heads/main", "a" + "é" * 5000))
    assert len(line.decode()) < 600


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("  code\t✓ 14 tests", "  code ✓ 14 tests"),
        ("\x1b[31mred\x1b[0m", "[31mred[0m"),
        ("a\u202eb\u200bc\u2028d\x9be", "abcde"),
        ("São Paulo  飛行機", "São Paulo  飛行機"),
    ],
)
def test_lines_are_stripped_of_what_a_terminal_obeys(line: str, shown: str) -> None:
    assert pushes.plain(line) == shown
