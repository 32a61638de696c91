"""The routes table as bytes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.kernel import errors
from ciranda.service import counters, table
from ciranda.service.gateway import admin
from ciranda.service.gateway.force import Force
from ciranda.service.port import Route, Target

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,5}", fullmatch=True)
ADDRESSES = st.just("unix:/x/1/http") | st.integers(1, 65535).map(lambda port: f"tcp:127.0.0.1:{port}")
TARGETS = st.builds(Target, NAMES, st.integers(0, 100), st.dictionaries(NAMES, ADDRESSES, max_size=3))
LIMITS = st.dictionaries(st.sampled_from(["body", "timeout"]), st.floats(1, 100))
ROUTES = st.builds(Route, NAMES, NAMES, NAMES, st.lists(TARGETS, max_size=3).map(tuple), LIMITS)
TABLES = st.builds(
    table.Table, st.integers(0, 9), st.lists(ROUTES, max_size=3, unique_by=lambda route: route.prefix).map(tuple)
)


@given(TABLES)
def test_a_table_comes_back_as_it_was_written(wanted: table.Table) -> None:
    assert table.decode(table.encode(wanted)) == wanted


@given(TABLES, st.data())
def test_a_torn_table_is_refused(wanted: table.Table, data: st.DataObject) -> None:
    whole = table.encode(wanted)
    with pytest.raises(errors.Corrupt):
        table.decode(whole[: data.draw(st.integers(0, len(whole) - 1))])


ROUTE = {"project": "a", "environment": "b", "service": "c", "targets": [], "limits": {}}


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"format": "ciranda.routes/2", "serial": 1, "routes": []},
        {"format": table.FORMAT, "serial": 1, "routes": [ROUTE, ROUTE]},
        {
            "format": table.FORMAT,
            "serial": 1,
            "routes": [{**ROUTE, "targets": [{"release": "r1", "weight": -1, "instances": {}}]}],
        },
        {
            "format": table.FORMAT,
            "serial": 1,
            "routes": [{**ROUTE, "targets": [{"release": "r1", "weight": 1, "instances": {"i": "x"}}]}],
        },
    ],
)
def test_a_table_that_makes_no_sense_is_refused(document: object) -> None:
    with pytest.raises(errors.Corrupt):
        table.decode(json.dumps(document).encode())


def test_an_environments_routes_replace_its_own_and_no_others() -> None:
    mine, other, sibling = Route("a", "prod", "x", ()), Route("a", "test", "x", ()), Route("b", "prod", "x", ())
    before = table.Table(4, (other, mine, sibling))
    after = before.replaced("a", "prod", [Route("a", "prod", "y", ())])
    assert after.serial == 5
    assert {route.prefix for route in after.routes} == {"/a/test/x", "/b/prod/x", "/a/prod/y"}


@pytest.mark.parametrize(
    ("text", "there"), [("unix:/a/b", "/a/b"), ("tcp:127.0.0.1:80", ("127.0.0.1", 80)), ("tcp:::1:80", ("::1", 80))]
)
def test_addresses(text: str, there: object) -> None:
    assert table.parse_address(text) == there


@pytest.mark.parametrize("text", ["", "unix:relative", "tcp:80", "tcp:h:0", "tcp:h:70000", "tcp:h:x", "udp:h:1"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        table.parse_address(text)


def test_a_gateway_begins_with_the_last_good_table_and_at_worst_with_none(tmp_path: Path) -> None:
    counted = counters.Counters(tmp_path / "counters")
    tables = admin.Tables(tmp_path / "routes.json", Force(counted))
    assert tables.begin() is None
    table.save(tables.path, table.Table(7, (Route("a", "b", "c", ()),)))
    assert tables.reload(7) == 7
    with pytest.raises(errors.Stale):
        tables.reload(8)
    tables.path.write_bytes(b"{")
    again = admin.Tables(tables.path, Force(counted))
    assert again.begin()
    assert (again.force.serial, list(again.force.entries)) == (7, [b"/a/b/c"])
    again.good.write_bytes(b"")
    none = admin.Tables(tables.path, Force(counted))
    assert none.begin()
    assert (none.force.serial, none.force.entries) == (0, {})
    table.save(tables.path, table.Table(3))
    with pytest.raises(errors.Stale):
        tables.reload(3)  # older than what is in force
    counted.close()
