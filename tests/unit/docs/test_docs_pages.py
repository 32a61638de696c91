"""Every command, setting and event is documented, and what the pages say is there is there."""

import re
from pathlib import Path

import pytest

from ciranda.cli import dispatch
from ciranda.project import schema
from support.docs import ROOT, script, shell_blocks

PAGES = [
    ROOT / "README.md",
    ROOT / "README.pt-BR.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples/flights/README.md",
]
VERBS = {verb for group in dispatch.VERBS.values() for verb in group}
EVENT = re.compile(
    r'(?<!failpoint\()"((?:change|run|gate|release|revision|environment|instance|rule|job|config|secret|plan|incident|item)\.[a-z][a-z-]*)"'
)


@pytest.mark.parametrize("name", ["configuration.md", "commands.md"])
def test_what_is_made_from_the_program_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == script("docs").PAGES[name](), "make docs"


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    assert {verb for verb in VERBS if f"`ciranda {verb}" not in page} == set()


def test_every_argument_of_a_command_says_what_it_is() -> None:
    assert "|  |" not in (ROOT / "docs" / "commands.md").read_text()


def test_every_setting_is_documented_and_shown() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    for name, section in schema.SECTIONS.items():
        reference = (ROOT / "src/ciranda/project/reference" / f"{name}.toml").read_text()
        for key in section.keys:
            assert f"| `{key}` |" in page
            assert re.search(rf"\b{key} = ", reference), f"{name}.toml does not show {key}"


def test_every_event_is_documented_here_and_in_the_architecture() -> None:
    published = {
        kind
        for path in (ROOT / "src").rglob("*.py")
        if "demo" not in path.parts and path.stem != "failpoints"
        for kind in EVENT.findall(path.read_text())
        if not kind.endswith((".json", ".py", ".toml", ".yml"))
    }
    for page in (ROOT / "docs" / "events.md", ROOT / "ARCHITECTURE.md"):
        assert {kind for kind in published if f"`{kind}`" not in page.read_text()} == set(), page.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"`ciranda ([a-z]+)", page.read_text()))
    for block in shell_blocks(page.read_text()):
        named |= set(re.findall(r"^(?:.*&& )?ciranda ([a-z]+)", block, re.MULTILINE))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named <= VERBS
    assert set(re.findall(r"^(?:    )?make ([a-z]+)", page.read_text(), re.MULTILINE)) <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_both_readmes_show_the_same_code() -> None:
    english, portuguese = (re.findall(r"^(?:@|def ).*", page.read_text(), re.MULTILINE) for page in PAGES[:2])
    assert [line.split("#")[0].strip() for line in english] == [line.split("#")[0].strip() for line in portuguese]


def test_every_recipe_of_the_makefile_has_a_line_that_says_what_it_does() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    for place, line in enumerate(lines):
        if re.match(r"^[a-z]+:", line):
            assert lines[place - 1].startswith("# "), line
