"""The keys of `ciranda.toml`: what each section takes, of which type, and what is designed but not built yet."""

from dataclasses import dataclass

# The types that a key may have, as a person says them.
TEXT, TEXTS, COMMANDS, NUMBER, COUNT, WHOLE, TABLE, SCALAR, FLAG, LENGTH, SHARE = (
    "text",
    "a list of texts",
    "a command, or a list of commands",
    "a number of seconds",
    "a whole number from 1",
    "a whole number from 0",
    "a table",
    "text, a number, true or false",
    "true or false",
    "a length of time",
    "a share between 0 and 1",
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
    "sources": Section({"files": TEXT, "url": TEXT, "keep": FLAG, "schedule": TEXT}, named=True, later=("table",)),
    "checks": Section({"code": COMMANDS, "timeout": NUMBER, "when_unsure": TABLE}),
    "services": Section(
        {
            "predict": TEXT,
            "app": TEXT,
            "command": TEXT,
            "uses": TEXTS,
            "instances": COUNT,
            "health": TEXT,
            "drain": NUMBER,
            "start_timeout": NUMBER,
            "owner": TEXT,
            "secrets": TEXTS,
            "predictions": TABLE,
        },
        named=True,
        later=("replace",),
    ),
    "jobs": Section(
        {
            "run": TEXTS,
            "schedule": TEXT,
            "ready_by": TEXT,
            "environments": TEXTS,
            "retries": WHOLE,
            "timeout": NUMBER,
            "owner": TEXT,
        },
        named=True,
        required=("run",),
    ),
    "reactions": Section(
        {
            "on": TEXT,
            "do": TEXT,
            "service": TEXT,
            "environments": TEXTS,
            "cool_down": NUMBER,
            "at_most": COUNT,
            "ask_first": WHOLE,
        },
        named=True,
        required=("on", "do"),
    ),
    "notify": Section(
        {
            "kind": TEXT,
            "url": TEXT,
            "email": TEXTS,
            "sign": TEXT,
            "severity": TEXT,
            "owners": TEXTS,
            "events": TEXTS,
            "language": TEXT,
        },
        named=True,
    ),
    "config": Section({"type": TEXT, "default": SCALAR}, named=True, required=("default",)),
    "environments": Section(
        {
            "after": TEXT,
            "verify": COMMANDS,
            "verify_timeout": NUMBER,
            "approvals": WHOLE,
            "four_eyes": FLAG,
            "freeze": TEXTS,
            "config": TABLE,
            "secrets": TEXTS,
            "infra": TEXT,
            "infra_check": NUMBER,
            "rollout": TABLE,
        },
        named=True,
        later=("schedule",),
    ),
    "alerts": Section(
        {
            "when": TEXT,
            "for": LENGTH,
            "severity": TEXT,
            "service": TEXT,
            "environments": TEXTS,
            "owner": TEXT,
            "runbook": TEXT,
            "off": FLAG,
        },
        named=True,
    ),
    "objectives": Section(
        {
            "service": TEXT,
            "availability": SHARE,
            "latency": TABLE,
            "window": LENGTH,
            "environments": TEXTS,
            "owner": TEXT,
            "runbook": TEXT,
        },
        named=True,
        required=("service",),
    ),
    "data": Section({"private": TEXTS}),
    "keep": Section({"releases": COUNT, "days": COUNT}),
}

# Whole sections that are designed but not built yet.
LATER_SECTIONS = ("gate", "previews", "push", "references", "secrets")
