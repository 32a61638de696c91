"""What goes out when: bursts, tries, what is too old. Pure."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ciranda.feedback import channels, notices
from ciranda.feedback.channels import SECOND, Row
from support.feedback import NOON, fact

ROW = Row("flights", "team", "b3:x", 10, None, 0, None, None, "", 0, 0, None)
LIVE = fact("revision.reached", "id", environment="prod", release="r42", cause="promotion")


def test_the_first_of_a_burst_goes_at_once_and_the_rest_together() -> None:
    assert notices.due(ROW, NOON)
    assert not notices.due(replace(ROW, sent_us=NOON - SECOND), NOON)
    assert notices.due(replace(ROW, sent_us=NOON - notices.GAP), NOON)


def test_what_failed_is_tried_again_when_it_is_time() -> None:
    assert not notices.due(replace(ROW, retry_us=NOON + 1, sent_us=None), NOON)
    assert notices.due(replace(ROW, retry_us=NOON, sent_us=NOON), NOON)


def test_the_pause_doubles_up_to_an_hour_and_the_other_side_may_ask_for_more() -> None:
    assert [channels.pause(n) // SECOND for n in (1, 2, 3, 10, 100)] == [5, 10, 20, 2560, 3600]
    assert channels.pause(1, 60.0) == 60 * SECOND
    assert channels.pause(5, 1.0) == 80 * SECOND
    assert channels.pause(1, 1e9) == channels.LONGEST


def test_what_is_too_old_is_counted_and_not_told() -> None:
    old = replace(LIVE, seq=11, at_us=NOON - notices.OLDEST - 1)
    new = replace(LIVE, seq=12)
    assert notices.gather(ROW, [old, new], 15, NOON) == notices.Batch((new,), 15, 1)


@given(st.lists(st.integers(11, 60), unique=True), st.integers(11, 60), st.integers(0, 30))
def test_a_pinned_message_keeps_its_end_whatever_came_meanwhile(seqs: list[int], end: int, more: int) -> None:
    found = [replace(LIVE, seq=seq) for seq in sorted(seqs)]
    pinned = replace(ROW, until_seq=end)
    first = notices.gather(pinned, [one for one in found if one.seq <= end], end, NOON)
    again = notices.gather(pinned, found, end + more, NOON + SECOND)
    assert first == again
    assert notices.key(pinned, first.until_seq) == notices.key(pinned, again.until_seq)
