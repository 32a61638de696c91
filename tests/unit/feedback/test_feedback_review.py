"""Drafts of reviews, the actions that they name, and the items that commits close."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.feedback import items, review
from ciranda.feedback.incidents import Incident
from ciranda.feedback.timeline import Moment
from ciranda.kernel import errors
from support.feedback import NOON

MINUTE = 60_000_000
ONE = Incident(
    "i", "flights", 3, "prod", "delays", "late | <b>all</b>", "page", "@data", "", "resolved", "ana", NOON - 10 * MINUTE, NOON, "bo",
    NOON + 95 * MINUTE, None, "",
)  # fmt: skip
MOMENTS = [Moment(NOON, "incident.opened", "incident 3 was opened: late | x", "ana")]


def test_a_draft_has_what_is_known() -> None:
    text = review.draft(ONE, MOMENTS, [], failed=review.Failed(1200, 7))
    assert text.startswith("# Review of incident 3: late \\| &lt;b>all&lt;/b>\n")
    for said in ("| Time to notice | 10 min |", "| Time to restore | 1 h 45 min |", "| Requests that failed | 7 of 1200 |",
                 "| 2025-11-23 12:00:00 | incident 3 was opened: late \\| x | ana |"):  # fmt: skip
        assert said in text
    assert review.actions(text) == []


def test_a_draft_speaks_portuguese_and_says_what_it_does_not_know() -> None:
    text = review.draft(ONE, [], [], language="pt")
    assert text.startswith("# Revisão do incidente 3")
    assert "| Pedidos que falharam | não se sabe |" in text
    assert "O registro não tem nada deste tempo." in text
    assert set(review.WORDS["pt"]) == set(review.WORDS["en"])


def test_the_open_actions_of_a_review_are_those_below_their_heading() -> None:
    text = review.draft(ONE, MOMENTS, []) + (
        "- [ ] a check that no airport is empty (@data)\n* [ ] page earlier\n- [x] done already\n- [ ] known item/4\n- [ ]\n"
        "- no box\n## Else\n- [ ] not an action\n"
    )
    assert review.actions(text) == [
        review.Action("a check that no airport is empty", "@data"),
        review.Action("page earlier", ""),
    ]
    assert review.actions("## Ações\n- [ ] x") == [review.Action("x", "")]


def test_actions_get_the_names_of_their_items_once() -> None:
    text = "## Actions\n- [ ] a check (@data)\n- [ ] b\n"
    made = review.numbered(text, {"a check": "item/1", "b": "item/2"})
    assert made == "## Actions\n- [ ] a check (@data) item/1\n- [ ] b item/2\n"
    assert review.actions(made) == []
    assert review.numbered(made, {"a check": "item/1"}) == made


def test_nobody_does_a_hundred_things() -> None:
    with pytest.raises(errors.Invalid, match="more than 50"):
        review.actions("## Actions\n" + "- [ ] x\n" * 51)


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    review.actions(f"## Actions\n{text}")
    review.numbered(text, {})
    items.named(text)


@pytest.mark.parametrize(("message", "closed"), [
    ("No airport is empty: closes item/7", [7]),
    ("Fixes item/7, item/8 and item/9; resolves item/7", [7, 8, 9]),
    ("fecha item/3 e item/4", [3, 4]),
    ("Closed: item/12.", [12]),
    ("see item/7", []),
    ("this closes the case of item/7", []),
    ("encloses item/7", []),
    ("closes item/", []),
    ("closes #7", []),
])  # fmt: skip
def test_a_commit_closes_the_items_that_it_says_it_closes(message: str, closed: list[int]) -> None:
    assert items.named(message) == closed


@pytest.mark.parametrize(("us", "said"), [
    (0, "0 s"), (42_000_000, "42 s"), (65 * 1_000_000, "1 min 5 s"), (2 * MINUTE, "2 min"), (125 * MINUTE, "2 h 5 min"),
    (49 * 60 * MINUTE, "2 d 1 h"), (-5, "0 s"),
])  # fmt: skip
def test_a_length_of_time_is_said_in_two_units(us: int, said: str) -> None:
    assert review.lasted(us) == said
