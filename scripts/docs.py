"""Write the reference pages from the program itself: the settings from their annotated files, the commands from their parsers."""

import argparse
import importlib
import sys
from pathlib import Path

from ciranda.cli import dispatch
from ciranda.project import schema

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "src" / "ciranda" / "project" / "reference"


def configuration() -> str:
    """`docs/configuration.md`: each section as its annotated file has it, then its keys and their types."""
    lines = [
        "# `ciranda.toml`",
        "",
        "One file at the root of a repository says what Ciranda is told about it. Each section below is complete: what is written there",
        "is what there is. A key that is not known is refused with its line and the nearest one that is; a key that is designed but not",
        "built yet is refused as such.",
    ]
    for name, section in schema.SECTIONS.items():
        lines += ["", f"## `[{name}{'.NAME' if section.named else ''}]`", "", "```toml"]
        lines += [
            (REFERENCE / f"{name}.toml").read_text(encoding="utf-8").rstrip(),
            "```",
            "",
            "| key | takes |",
            "|---|---|",
        ]
        lines += [
            f"| `{key}` | {kind}{', needed' if key in section.required else ''} |" for key, kind in section.keys.items()
        ]
        if section.later:
            lines += ["", f"Not built yet: {', '.join(f'`{key}`' for key in section.later)}."]
    lines += [
        "",
        "## Not built yet",
        "",
        "Sections that are refused as such: " + ", ".join(f"`{name}`" for name in schema.LATER_SECTIONS) + ".",
    ]
    return "\n".join(lines) + "\n"


def commands() -> str:
    """`docs/commands.md`: every verb with what it takes."""
    lines = [
        "# Commands",
        "",
        "`ciranda VERB [OPTIONS]`. Every verb takes `--home DIR` (the home to use; default `$CIRANDA_HOME`, else `~/.ciranda`), `--json`",
        "(the same facts as JSON) and `--help`. Exit status: 0 done, 1 refused or failed, 2 something to do (`plan`), 64 a command line",
        "that cannot be understood. What is refused says what, where, and the next command.",
    ]
    for group, verbs in dispatch.VERBS.items():
        lines += ["", f"## {group.capitalize()}"]
        for verb, summary in verbs.items():
            lines += ["", *command(verb, summary)]
    return "\n".join(lines) + "\n"


def command(verb: str, summary: str) -> list[str]:
    """One verb: what it does, what it takes, an example."""
    module = importlib.import_module(f"ciranda.cli.{verb}")
    parser = dispatch.build(verb, summary, module)
    actions = [action for action in parser._actions if action.dest not in ("help", "home", "json")]
    shown = [action for action in actions if action.help != argparse.SUPPRESS]
    lines = [f"### `{usage(verb, shown)}`", "", f"{summary[:1].upper()}{summary[1:]}."]
    if shown:
        lines += ["", "| | |", "|---|---|", *map(row, shown)]
    return [*lines, "", "```sh", *(line.strip() for line in module.EXAMPLE.splitlines()), "```"]


def row(action: argparse.Action) -> str:
    """One argument in a table, in which a bar is not a column."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (f"`{named(action)}`", action.help or "")) + " |"


def usage(verb: str, actions: list[argparse.Action]) -> str:
    """`ciranda run [STEP …] [OPTIONS]`."""
    places = [named(action) for action in actions if not action.option_strings]
    options = ["[OPTIONS]"] if any(action.option_strings for action in actions) else []
    return " ".join(["ciranda", verb, *places, *options])


def named(action: argparse.Action) -> str:
    """How one argument is written: `-e, --environment NAME`, `[STEP …]`."""
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    if action.choices and not action.metavar:
        value = "|".join(str(choice) for choice in action.choices)
    if action.option_strings:
        return ", ".join(action.option_strings) + ("" if action.nargs == 0 else f" {value}")
    match action.nargs:
        case "*":
            return f"[{value} …]"
        case "+":
            return f"{value} …"
        case "?":
            return f"[{value}]"
    return value


PAGES = {"configuration.md": configuration, "commands.md": commands}


def main() -> int:
    """Write every page; with `--check`, say which ones are out of date instead."""
    stale = [
        name
        for name, page in PAGES.items()
        if not (ROOT / "docs" / name).exists() or (ROOT / "docs" / name).read_text() != page()
    ]
    if "--check" in sys.argv:
        print("\n".join(f"docs/{name} is out of date: make docs" for name in stale))
        return 1 if stale else 0
    for name in stale:
        (ROOT / "docs" / name).write_text(PAGES[name](), encoding="utf-8")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
