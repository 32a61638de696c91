"""Request ids: what goes in comes out, they sort by time, and what no gateway made is not read."""

from hypothesis import given
from hypothesis import strategies as st

from ciranda.service import request_ids

MOMENTS = st.integers(0, 2**44 - 1)  # ms


@given(MOMENTS, st.integers(0, 2**56 - 1), st.one_of(st.none(), st.integers(1, 10**6)))
def test_what_goes_in_comes_out(at_ms: int, number: int, release: int | None) -> None:
    tag = request_ids.tag("/flights/prod/delays")
    made = request_ids.identity(number, at_ms * 1_000_000 + 999_999, tag).decode()
    assert len(made) == 32
    text = made if release is None else f"{made}-r{release}"
    found = request_ids.read(text)
    assert found == request_ids.Identity(text, at_ms * 1000, tag.decode(), None if release is None else f"r{release}")


@given(MOMENTS, MOMENTS)
def test_they_sort_by_time(one: int, other: int) -> None:
    first, second = (
        request_ids.identity(number, at * 1_000_000, tag)
        for at, number, tag in ((min(one, other), 2**56 - 1, b"ffffff"), (max(one, other), 0, b"000000"))
    )
    assert first < second or one == other


def test_each_is_another_one() -> None:
    made = {request_ids.identity(count, 0, b"000000") for count in range(1000)}
    assert len(made) == 1000


def test_routes_have_tags_of_their_own() -> None:
    tags = {request_ids.tag(f"/flights/{place}/{name}") for place in ("test", "prod") for name in ("delays", "page")}
    assert len(tags) == 4
    assert all(len(tag) == 6 for tag in tags)
    assert request_ids.NOWHERE not in tags


def test_what_no_gateway_made_is_not_read() -> None:
    good = "0" * 32
    assert request_ids.read(good) is not None
    for text in (
        "",
        "mine-1",
        "0" * 31,
        good.replace("0", "g"),
        f"{good}-",
        f"{good}-42",
        f"{good}-r0",
        f"{good}-r1\n",
    ):
        assert request_ids.read(text) is None
