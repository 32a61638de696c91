import io

from ciranda.demo.judge import Finding, Outcome
from ciranda.demo.screen import Screen, fitted, wrapped


def test_a_line_that_fits_is_left_alone() -> None:
    assert fitted("remote:   code     ✓ 14 tests      1.9 s  ", 80) == ["remote:   code     ✓ 14 tests      1.9 s"]


def test_a_long_line_gives_up_its_gaps_first() -> None:
    line = "remote:   code     ✓ 14 tests" + " " * 48 + "1.9 s"
    assert fitted(line, 80) == ["remote:   code     ✓ 14 tests" + " " * 46 + "1.9 s"]
    assert fitted("prod #2 → #3     first answer     0 of 318", 36) == ["prod #2 → #3  first answer  0 of 318"]


def test_what_a_server_sent_keeps_its_indentation_and_is_cut() -> None:
    assert fitted("remote:             " + "=" * 70, 80) == ["remote:             " + "=" * 59 + "…"]


def test_what_is_longer_than_its_gaps_is_continued_below() -> None:
    assert fitted("one two three four", 12) == ["one two", "        thr…", "        four"]
    assert all(len(part) <= 80 for part in fitted("error:  " + "word " * 60, 80))


def test_text_is_broken_between_words_and_keeps_its_indentation() -> None:
    assert wrapped("one two three", 8) == ["one two", "three"]
    assert wrapped("  one two", 7) == ["  one", "two"]
    assert wrapped("abcdefghij", 5) == ["abcd…"]


def test_a_long_command_goes_on_in_a_second_line() -> None:
    out = io.StringIO()
    Screen(out).command("ciranda show flights@r2 --where \"tailnum = 'N29917' and dest = 'DCA' and hour = 19\"")
    first, second = out.getvalue().splitlines()
    assert first == "$ ciranda show flights@r2 --where \"tailnum = 'N29917' and dest = 'DCA' and \\"
    assert second == '    hour = 19"'


def test_a_file_gets_no_colour_and_eighty_columns() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.title(4, "A better model takes over under traffic")
    screen.line("remote:   code     ✓ 14 tests" + " " * 46 + "1.9 s")
    screen.finding(Finding(False, "word " * 30))
    screen.ending(
        [Outcome(1, "A title", 1.0, (Finding(True, "x"),)), Outcome(2, "B", 1.0, (Finding(False, "y"),))], 9, 9.0
    )
    assert "\x1b" not in out.getvalue()
    assert max(len(line) for line in out.getvalue().splitlines()) <= 80
    assert "1 of 9 acts observed in 9 s" in out.getvalue()
    assert "✗ act 2: y" in out.getvalue()
