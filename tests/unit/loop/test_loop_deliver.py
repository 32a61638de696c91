"""A release walks its chain and stops where it must."""

from dataclasses import replace

from ciranda.loop.deliver import Ask, End, Enter, Place, decide

TEST = Place("test", None, None, newer=False, held=False)
PROD = Place("prod", "test", None, newer=False, held=False)


def test_it_enters_the_first_environment_first() -> None:
    assert decide([TEST, PROD]) == [Enter("test")]


def test_it_waits_while_something_is_under_way() -> None:
    assert decide([replace(TEST, state="target"), PROD]) == []


def test_it_goes_on_when_the_environment_before_is_reached() -> None:
    assert decide([replace(TEST, state="reached"), PROD]) == [Enter("prod")]


def test_a_held_environment_is_not_entered() -> None:
    assert decide([replace(TEST, state="reached"), replace(PROD, held=True)]) == []


def test_a_failure_ends_it_there() -> None:
    assert decide([replace(TEST, state="failed"), PROD]) == [End("failed", "test")]


def test_a_newer_release_overtakes_it() -> None:
    assert decide([replace(TEST, state="reached"), replace(PROD, newer=True)]) == [End("overtaken", "prod")]
    assert decide([replace(TEST, state="superseded", newer=True), PROD]) == [End("overtaken", "test")]


def test_at_the_end_it_is_live_even_if_an_earlier_environment_moved_on() -> None:
    assert decide([replace(TEST, state="reached", newer=True), replace(PROD, state="reached")]) == [End("live", "prod")]


def test_two_first_environments_are_entered_together() -> None:
    assert decide([TEST, replace(TEST, name="lab")]) == [Enter("test"), Enter("lab")]


def test_a_project_without_environments_is_released_and_done() -> None:
    assert decide([]) == [End("live", "")]


def test_people_are_asked_where_the_plan_lacks_approvals() -> None:
    assert decide([replace(TEST, state="reached"), replace(PROD, lacks=True)]) == [Ask("prod")]
    assert decide([replace(TEST, lacks=True), PROD]) == [Ask("test")]


def test_what_was_destroyed_is_not_entered_and_nothing_waits_for_it() -> None:
    assert decide([replace(TEST, state="reached"), replace(PROD, gone=True)]) == [End("live", "test")]
    assert decide([replace(TEST, gone=True), PROD]) == [End("live")]
    assert decide([TEST, replace(PROD, gone=True)]) == [Enter("test")]
    assert decide([replace(TEST, state="target"), replace(PROD, gone=True)]) == []
