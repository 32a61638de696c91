"""Who a client is, which release it gets, and how often its errors count."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciranda.service import counters, table
from ciranda.service.gateway.force import CLIENTS, Force, Release
from ciranda.service.gateway.sticky import Sticky, origin
from ciranda.service.port import Route, Target

LINES = b"Host: a\r\nX-Forwarded-For: 10.0.0.7\r\nCookie: a=1; session=s 7; sessionb=2\r\nX-User: ana \r\nx-empty:\r\n"


@pytest.fixture
def force(tmp_path: Path) -> Iterator[Force]:
    counted = counters.Counters(tmp_path / "counters")
    yield Force(counted)
    counted.close()


def routed(weight: int, sticky: str = "header:X-User", release: str = "r2") -> table.Table:
    targets = (Target("r1", 100 - weight, {"old": "unix:/old"}), Target(release, weight, {"new": "unix:/new"}))
    return table.Table(1, (Route("a", "b", "c", targets, sticky=sticky),))


@pytest.mark.parametrize(
    ("by", "value"),
    [
        ("header:X-User", b"ana"),
        ("header:x-user", b"ana"),
        ("header:Host", b"a"),
        ("header:User", None),
        ("header:X-Empty", None),
        ("cookie:session", b"s 7"),
        ("cookie:sessionb", b"2"),
        ("cookie:Session", None),
        ("cookie:a", b"1"),
        ("cookie:ession", None),
        ("header:.-User", None),
    ],
)
def test_a_client_is_told_by_a_header_or_a_cookie(by: str, value: bytes | None) -> None:
    assert Sticky(by, "r2").of(LINES) == value


def test_a_client_stays_where_it_is_and_a_greater_share_moves_it_to_the_candidate_only(force: Force) -> None:
    clients = [b"client-%d" % number for number in range(2000)]
    before: set[bytes] = set()
    for weight in (1, 10, 50, 99):
        force.put(routed(weight))
        entry = force.entries[b"/a/b/c"]
        new = {who for who in clients if (found := entry.choose(0.0, (), who)) and found[0].name == "r2"}
        again = {who for who in clients if (found := entry.choose(0.0, (), who)) and found[0].name == "r2"}
        assert new == again
        assert before <= new
        assert abs(len(new) / 20 - weight) < 4
        before = new


def test_another_rollout_begins_with_other_clients(force: Force) -> None:
    clients = [b"client-%d" % number for number in range(2000)]
    first = []
    for release in ("r2", "r3"):
        force.put(routed(10, release=release))
        entry = force.entries[b"/a/b/c"]
        first.append({who for who in clients if (found := entry.choose(0.0, (), who)) and found[0].name == release})
    assert len(first[0] & first[1]) < len(first[0]) / 2


def test_who_is_unknown_goes_anywhere_and_who_is_ill_is_left(force: Force) -> None:
    force.put(routed(50))
    entry = force.entries[b"/a/b/c"]
    assert {found[0].name for _ in range(60) if (found := entry.choose(0.0))} == {"r1", "r2"}
    force.upstreams["new"].rests_until = 10.0
    assert {found[0].name for who in range(60) if (found := entry.choose(0.0, (), b"%d" % who))} == {"r1"}


def test_a_route_with_one_target_needs_nobody_to_be_told(force: Force) -> None:
    force.put(table.Table(1, (Route("a", "b", "c", (Target("r1", 100, {"old": "unix:/old"}),), sticky="cookie:s"),)))
    assert force.entries[b"/a/b/c"].sticky is None


def test_an_address_is_the_last_that_is_not_of_this_machine() -> None:
    assert origin(LINES) == b"10.0.0.7"
    assert origin(b"X-Forwarded-For: 1.2.3.4, 9.9.9.9, 127.0.0.1\r\n") == b"9.9.9.9"
    assert origin(b"X-Forwarded-For: 127.0.0.1\r\n") is None
    assert origin(b"Host: a\r\n") is None


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 10, 50, 90]), st.floats(1.0, 100.0))
def test_a_client_whose_requests_all_fail_weighs_the_same_on_both_sides(weight: int, rate: float) -> None:
    """The share of its requests that count as errors is that of the other side, however fast it asks."""
    old, new = _release((100 - weight) / 100), _release(weight / 100)
    seconds = 200
    asked = [int(seconds * rate * share) for share in (old.share, new.share)]
    counted = [
        sum(one.errs(b"ana", at * seconds / many) for at in range(many)) / many if many else 0.0
        for one, many in zip((old, new), asked, strict=True)
    ]
    assert counted[0] == pytest.approx(counted[1], rel=0.25, abs=0.05)


def test_who_has_met_errors_is_not_remembered_without_end() -> None:
    one = _release(0.5)
    for number in range(3 * CLIENTS):
        one.errs(b"%d" % number, 0.0)
    assert len(one.erring) <= CLIENTS


def test_what_is_sticky_is_in_the_table_and_what_is_not_leaves_no_trace() -> None:
    made = routed(10)
    assert table.decode(table.encode(made)) == made
    plain = routed(10, sticky="")
    assert b"sticky" not in table.encode(plain)
    assert table.decode(table.encode(plain)) == plain


def _release(share: float) -> Release:
    return Release("r", 1, [], 0, b"", b"", share)
