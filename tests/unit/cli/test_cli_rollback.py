"""What `ciranda rollback` says of what came of it."""

from ciranda.cli import rollback

LEFT = {"number": 17, "release": "r42", "environment": "prod"}
TARGET = {"number": 18, "release": "r41", "environment": "prod"}


def test_the_way_back_that_could_not_be_made_again_says_so() -> None:
    back = rollback.Back(LEFT, TARGET, "reached", "", 0.4, 12, 0, ("raw", "weather"))
    step, unkept, held = rollback.lines(back, 120.0)
    assert "first answer of r41 after 0.40 s" in step
    assert unkept == "! r41 is traceable, not replayable: raw, weather are not kept (keep = true)"
    assert held.startswith("prod is held at r41")


def test_a_way_back_that_is_kept_whole_has_no_warning() -> None:
    assert len(rollback.lines(rollback.Back(LEFT, TARGET, "reached", "", 0.4, 12, 0), 120.0)) == 2
