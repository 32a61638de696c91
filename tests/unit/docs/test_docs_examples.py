"""What the pages show to be typed, declared or written is understood by the program as it is."""

import re
import shlex
from pathlib import Path

import pytest

from ciranda.cli import dispatch
from ciranda.kernel import errors
from ciranda.project import read
from support import tutorial
from support.docs import ROOT

GENERATED = {"commands.md", "configuration.md"}
DOCS = sorted((ROOT / "docs").glob("*.md"))
READMES = [ROOT / "README.md", ROOT / "README.pt-BR.md"]
PAGES = [*READMES, *DOCS, ROOT / "examples/flights/README.md"]
VERBS = {verb: line for group in dispatch.VERBS.values() for verb, line in group.items()}
LONGEST = 110  # lines of a page that is about one thing


def typed(page: str) -> list[str]:
    """Every command line of `ciranda` in the blocks of a page, and those in its text that have more than a verb."""
    found = []
    for block in re.findall(r"^```(?:sh|console)?\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        found += re.findall(r"(?:^|[(;&|] ?)(?:\$ )?(ciranda (?:\$\(.*\)|[^\n;&|)])+)", block, re.MULTILINE)
    text = re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)
    return found + re.findall(r"`(ciranda [a-z]+ [^`…\[]+)`", text)


def parsed(line: str) -> None:
    """Understood by the verb's own parser. Raises errors.Usage."""
    words = shlex.split(re.sub(r"\$\(.*\)", "WHAT", line), comments=True)
    for mark in ("<", ">", "2>"):
        words = words[: words.index(mark)] if mark in words else words
    verb = words[1]
    assert verb in VERBS, line
    dispatch.build(verb, VERBS[verb], dispatch.load(verb)).parse_args(words[2:])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_line_of_a_page_is_understood(page: Path) -> None:
    text, wrong = page.read_text(), []
    for line in typed(text):
        try:
            parsed(line)
        except errors.Usage as error:
            if not (f"`{line}`" in text and "are required" in str(error)):  # in a sentence it need not be whole
                wrong.append(f"{line}: {error}")
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_waits_for_a_plan_to_end_with_0_when_there_is_something_to_do(page: Path) -> None:
    assert re.findall(r"^.*ciranda plan [^\n|]*&&.*$", page.read_text(), re.MULTILINE) == []


def test_the_test_sees_an_option_that_is_not_there() -> None:
    page = "```sh\ncd x && ciranda run --fast\n```\nalso `ciranda plan -e prod --loud`"
    assert typed(page) == ["ciranda run --fast", "ciranda plan -e prod --loud"]
    for line in typed(page):
        with pytest.raises(errors.Usage):
            parsed(line)


def test_every_verb_is_told_of_on_a_page_that_says_what_it_is_for() -> None:
    told = "".join(page.read_text() for page in [READMES[0], *DOCS] if page.name not in GENERATED)
    assert {verb for verb in VERBS if not re.search(rf"\bciranda {verb}\b", told)} == set()


def declarations() -> list[tuple[str, str]]:
    """Each block of `ciranda.toml` that a page shows: whole, or a part."""
    return [
        (page.name, block.text)
        for page in PAGES
        if page.name not in GENERATED
        for block in tutorial.blocks(page.read_text())
        if block.language == "toml" and block.file.removeprefix(">>") in ("", "ciranda.toml")
    ]


def whole(text: str) -> str:
    """A part of a declaration, with what it needs to be one."""
    if "[project]" not in text:
        text = '[project]\nname = "shown"\n' + text
    missing = [name for name in re.findall(r'after = "(\w+)"', text) if f"[environments.{name}]" not in text]
    if "[environments." not in text and "environments = " in text:
        missing.append("prod")
    text += "".join(f"\n[environments.{name}]\n" for name in missing)
    for name in sorted(set(re.findall(r'^service = "([\w-]+)"', text, re.MULTILINE))):
        if f"[services.{name}]" not in text:
            text += f'\n[services.{name}]\ncommand = "serve"\n'
    return text


@pytest.mark.parametrize(("page", "text"), declarations())
def test_every_declaration_that_a_page_shows_is_accepted(page: str, text: str) -> None:
    assert read.read_text(whole(text), page).name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_compiles(page: Path) -> None:
    for block in tutorial.blocks(page.read_text()):
        if block.language == "python":
            compile(block.text, page.name, "exec", dont_inherit=True)


@pytest.mark.parametrize("page", [page for page in DOCS if page.name not in GENERATED], ids=lambda page: page.name)
def test_a_page_is_about_one_thing_and_the_readme_leads_to_it(page: Path) -> None:
    lines = page.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert len(lines) <= LONGEST or page.name == "first-ten-minutes.md"
    assert f"](docs/{page.name})" in READMES[0].read_text()


def test_both_readmes_say_the_same_in_two_languages() -> None:
    english, portuguese = (page.read_text() for page in READMES)
    shapes = []
    for text in (english, portuguese):
        blocks = tutorial.blocks(text)
        links = sorted(set(re.findall(r"\]\(([^)]+)\)", text)) - {page.name for page in READMES})
        without = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        shapes.append(
            {
                "headings": [len(marks) for marks in re.findall(r"^(#+) ", without, re.MULTILINE)],
                "blocks": [(block.language, block.file, len(block.text.splitlines())) for block in blocks],
                "commands": [block.text for block in blocks if block.language == "sh"],
                "links": links,
                "rows": len(re.findall(r"^\|", without, re.MULTILINE)),
                "points": len(re.findall(r"^\* ", without, re.MULTILINE)),
                "figures": sorted(re.sub(r"[.,](?=\d{3})", "", each) for each in re.findall(r"\d[\d.,]*\d", without)),
            }
        )
    assert shapes[0] == shapes[1]
    assert "(README.pt-BR.md)" in english.partition("\n## ")[0]
    assert "(README.md)" in portuguese.partition("\n## ")[0]
