"""Every page in every language: which one is meant, and that nothing of a template is left in English."""

from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciranda.web.pages import languages

TEMPLATES = sorted(
    (entry.name, entry.read_text())
    for entry in resources.files("ciranda.web.pages").joinpath("templates").iterdir()
    if entry.name.endswith(".html")
)
PT = languages.ALL["pt"]


@pytest.mark.parametrize(("name", "source"), TEMPLATES, ids=[name for name, _ in TEMPLATES])
def test_every_literal_text_of_a_template_is_said_in_portuguese(name: str, source: str) -> None:
    assert PT.missing(source) == [], f"say it in web/pages/portuguese.py: {name}"


@pytest.mark.parametrize(("name", "source"), TEMPLATES, ids=[name for name, _ in TEMPLATES])
def test_a_template_in_english_is_as_it_is_written(name: str, source: str) -> None:
    assert "".join(piece.text for piece in languages.pieces(source)) == source
    assert languages.ALL["en"].read(source) == source


def test_every_line_of_the_table_says_something_with_the_same_gaps() -> None:
    for english, portuguese in PT.table.items():
        assert english.strip()
        assert portuguese.strip()
        assert english.count("{}") == portuguese.count("{}"), english


@pytest.mark.parametrize(
    ("asked", "kept", "accepted", "meant"),
    [
        ("", "", "", "en"), ("", "", "pt-BR,pt;q=0.9,en;q=0.8", "pt"), ("", "", "fr, en;q=0.2, pt;q=0.7", "pt"),
        ("", "pt", "en", "pt"), ("en", "pt", "pt", "en"), ("xx", "yy", "de", "en"), ("", "", "pt;q=0, en;q=0.1", "en"),
        ("", "", "*", "en"), ("", "", ",;,q=", "en"), ("", "", "PT-br", "pt"),
    ],
)  # fmt: skip
def test_which_language_is_meant(asked: str, kept: str, accepted: str, meant: str) -> None:
    assert languages.chosen(asked, kept, accepted) == meant


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_a_browser_sends_there_is_a_language(kept: str, accepted: str) -> None:
    assert languages.chosen("", kept, accepted) in languages.LANGUAGES


@pytest.mark.parametrize(
    ("english", "portuguese"),
    [
        ("3 min ago", "há 3 min"), ("held by bea: the fair is on", "retido por bea: the fair is on"), ("54,008 rows", "54.008 linhas"),
        ("flights: flown_once failed on 54,008 rows", "flights: flown_once falhou em 54.008 linhas"),
        ("2 of 3 instances", "2 de 3 instâncias"), ("something that nobody knows", "something that nobody knows"),
        ("", ""), ("1,204", "1.204"),
        ("6 passed, 1 warned", "6 passaram, 1 avisaram"), ("http://127.0.0.1:7700/", "http://127.0.0.1:7700/"),
    ],
)  # fmt: skip
def test_what_views_say_is_said_in_portuguese(english: str, portuguese: str) -> None:
    assert PT.say(english) == portuguese
    assert languages.ALL["en"].say(english) == english


def test_what_somebody_else_said_stays_as_it_is() -> None:
    subject = languages.Named("Latest changes")
    assert PT.spoken(subject) is subject
    assert PT.spoken("Latest changes") == "Últimas mudanças"
    assert PT.spoken("late") == "late"  # one word may be a name


@given(st.text(max_size=200))
def test_any_text_of_a_template_is_cut_into_pieces_that_are_it(source: str) -> None:
    assert "".join(piece.text for piece in languages.pieces(source)) == source
