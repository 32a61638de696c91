"""What `ciranda init` writes: an annotated `ciranda.toml`, and a small project that works as it is."""

import re
from collections.abc import Collection
from pathlib import Path

from ciranda.project import names
from ciranda.project.detection import proposal as proposals

_HERE = Path(__file__).parent
# The order of the sections in a new `ciranda.toml`.
SECTIONS = (
    "project",
    "sources",
    "checks",
    "services",
    "jobs",
    "config",
    "environments",
    "alerts",
    "objectives",
    "reactions",
    "notify",
    "data",
    "keep",
)
_SUFFIX = ".in"


def reference(section: str) -> str:
    """The annotated text of one section."""
    return (_HERE / "reference" / f"{section}.toml").read_text()


def declaration(name: str, *, working: bool) -> str:
    """A `ciranda.toml` for a project of this name.

    `working`: for the project of `files`; else everything but the name stands as comments to choose from.
    """
    active = {"project", "sources", "checks", "environments"} if working else {"project"}
    texts = [_section(section, active) for section in SECTIONS]
    text = "\n".join(texts).replace('name = "houses"', f'name = "{name}"', 1)
    if working:
        text = _uncomment(text, ("[services.prices]", 'predict = "service:predict"', 'uses = ["price"]'))
        elsewhere = ("[sources.raw_", 'files = "/srv', "schedule =", "keep =", "url =")
        people = ("approvals", "four_eyes", "freeze")
        return _comment(text, ("when_unsure", "verify", *people, "secrets", "config =", "owner", *elsewhere))
    return _comment(text, ("owner", "pipeline"))


def proposed(name: str, proposal: proposals.Proposal) -> str:
    """A `ciranda.toml` for a repository in which something was found: that, and the rest as comments to choose from."""
    texts = []
    for section in SECTIONS:
        found = proposals.section(section, proposal.of(section))
        if section == "project":
            head = _comment(reference(section).replace('name = "houses"', f'name = "{name}"', 1), ("owner", "pipeline"))
            if found:
                head = head[: head.index("# The file whose functions")] + found
            texts.append(head)
        else:
            texts.append(found or _section(section, ()))
    notes = "".join(f"# {note}\n" for note in proposal.notes)
    return (f"{notes}\n" if notes else "") + "\n".join(texts)


def files() -> dict[str, str]:
    """The files of the working project, by their path, without `ciranda.toml`."""
    folder = _HERE / "template"
    found = {}
    for path in sorted(folder.rglob(f"*{_SUFFIX}")):
        name = str(path.relative_to(folder)).removesuffix(_SUFFIX)
        found[".gitignore" if name == "gitignore" else name] = path.read_text()
    return found


def name_for(folder: str) -> str:
    """A project's name made from the name of its folder."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.lower()).strip("-")[:40].rstrip("-")
    return name if names.problem(name) is None else f"project-{name}"[:40].rstrip("-")


def _section(section: str, active: Collection[str]) -> str:
    text = reference(section)
    return text if section in active else "".join(_as_comment(line) for line in text.splitlines(keepends=True))


def _as_comment(line: str) -> str:
    return line if line.startswith("#") or not line.strip() else f"# {line}"


def _comment(text: str, starts: tuple[str, ...]) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(_as_comment(line) if line.startswith(starts) else line for line in lines)


def _uncomment(text: str, lines: tuple[str, ...]) -> str:
    for line in lines:
        text = text.replace(f"# {line}\n", f"{line}\n", 1)
    return text
