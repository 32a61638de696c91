"""Few releases stay warm beside the live one, however many were pushed."""

from dataclasses import replace

from ciranda.environment.revisions import Revision, Verification, nearest


def revision(number: int, release: str) -> Revision:
    return Revision(
        str(number),
        "toy",
        "prod",
        number,
        release,
        {},
        {},
        Verification(),
        "promotion",
        "ada",
        "reached",
        "",
        False,
        0,
        0,
        0,
    )


def test_the_live_release_and_two_others_are_near() -> None:
    pushed = [revision(9 - place, f"r{9 - place}") for place in range(9)]
    assert [each.release for each in nearest(pushed)] == ["r9", "r8", "r7"]


def test_scaling_and_going_back_do_not_count_twice() -> None:
    told = ["r2", "r3", "r3", "r2", "r1", "r0"]
    assert [each.release for each in nearest([revision(9 - at, name) for at, name in enumerate(told)])] == told[:5]


def test_of_many_configurations_of_a_release_the_last_two_are_near_and_the_release_before_stays() -> None:
    told = [replace(revision(9 - at, "r2"), secrets={"KEY": 5 - at}) for at in range(5)]
    near = nearest([*told, revision(4, "r1"), replace(told[0], number=3)])
    assert [(each.release, each.number) for each in near] == [("r2", 9), ("r2", 8), ("r1", 4), ("r2", 3)]


def test_nothing_is_near_nothing() -> None:
    assert nearest([]) == []
