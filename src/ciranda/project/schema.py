"""The keys of `ciranda.toml`: what each section takes, of which type, and what is designed but not built yet."""

from dataclasses import dataclass

# The types that a key may have, as a person says them.
TEXT, TEXTS, COMMANDS, NUMBER, COUNT, TABLE, SCALAR = (
    "text",
    "a list of texts",
    "a command, or a list of commands",
    "a number of seconds",
    "a whole number from 1",
    "a table",
    "text, a number, true or false",
)


@dataclass(frozen=True, slots=True)
class Section:
    """A section: `keys` by name with their type, `later` the names that are designed but not built yet."""

    keys: dict[str, str]
    named: bool = False  # [services.NAME] rather than [checks]
    required: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


SECTIONS = {
    "project": Section({"name": TEXT, "owner": TEXT, "pipeline": TEXT}, required=("name",)),
    "sources": Section({"files": TEXT}, named=True, required=("files",), later=("keep", "schedule", "table", "url")),
    "checks": Section({"code": COMMANDS, "timeout": NUMBER, "when_unsure": TABLE}),
    "services": Section(
        {
            "predict": TEXT,
            "command": TEXT,
            "uses": TEXTS,
            "instances": COUNT,
            "health": TEXT,
            "drain": NUMBER,
            "start_timeout": NUMBER,
        },
        named=True,
        later=("app", "owner", "replace", "secrets"),
    ),
    "config": Section({"type": TEXT, "default": SCALAR}, named=True, required=("default",)),
    "environments": Section(
        {"after": TEXT, "verify": COMMANDS, "verify_timeout": NUMBER, "config": TABLE},
        named=True,
        later=("approvals", "freeze", "infra", "rollout", "schedule", "secrets"),
    ),
    "data": Section({"private": TEXTS}),
}

# Whole sections that are designed but not built yet.
LATER_SECTIONS = ("gate", "infra", "jobs", "keep", "notify", "objectives", "previews", "push", "references", "secrets")
