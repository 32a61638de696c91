"""Reading `ciranda.toml`: strict, and every error with its line, what is wrong and what was probably meant."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from ciranda.kernel import errors
from ciranda.project import (
    alerts,
    freeze,
    infra,
    jobs,
    layers,
    names,
    notify,
    prediction_keys,
    problems,
    reactions,
    rollout_keys,
    schema,
    sources,
)
from ciranda.project.declaration import Checks, Environment, Keep, Project, Service, Setting
from ciranda.project.reading import Reading, Table
from ciranda.project.values import Scalar

FILE = "ciranda.toml"
_FUNCTION = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def read(path: Path) -> Project:
    """The project that a `ciranda.toml`, or the folder it lies in, declares.

    Raises errors.NotFound without such a file, errors.Invalid for a mistake in it, errors.NotYet for what is not
    built yet.
    """
    file = path / FILE if path.is_dir() else path
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        raise errors.NotFound(
            f"there is no {FILE} here", where=str(file.parent), hint="make a project: ciranda init"
        ) from None
    except UnicodeDecodeError as error:
        raise errors.Invalid(f"{FILE} is not UTF-8 (byte {error.start})", where=str(file)) from None
    return replace(read_text(text, FILE), path=file)


def read_text(text: str, where: str) -> Project:
    """The project that a text declares; `where` is how its place is called in errors. Raises as `read` does."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _malformed(error, text, where) from None
    reading = Reading(text, where)
    _sections(reading, document)
    project = _project(reading, document)
    problems.refuse(reading.problems)
    return project


def _malformed(error: tomllib.TOMLDecodeError, text: str, where: str) -> errors.Invalid:
    message, _, place = str(error).partition(" (at ")
    number = re.search(r"line (\d+)", place)
    line = int(number[1]) if number else len(text.splitlines())
    return errors.Invalid(f"this is not TOML: {message[:1].lower()}{message[1:]}", where=f"{where}:{line}")


def _sections(reading: Reading, document: Mapping[str, Any]) -> None:
    for name in document:
        if name in schema.LATER_SECTIONS:
            reading.later((name,), f"[{name}] is designed, but not built yet", "take the section out")
        elif name not in schema.SECTIONS:
            hint = names.suggestion(name, schema.SECTIONS) or f"known: {', '.join(schema.SECTIONS)}"
            reading.wrong((name,), f"[{name}] is not a section", hint)
    if "project" not in document:
        reading.wrong((), "there is no [project]", 'begin with:  [project]  name = "…"')


def _project(reading: Reading, document: Mapping[str, Any]) -> Project:
    head = reading.section(document, "project") if "project" in document else Table(reading, ("project",), {})
    name = head.text("name")
    if name and (problem := names.problem(name)):
        head.wrong("name", f"is wrong: {problem}")
    pipeline = head.optional("pipeline")
    if pipeline is not None:
        _pipeline(head, pipeline)
    settings = tuple(s for s in (_setting(*item) for item in reading.sections(document, "config")) if s)
    places = _chain(reading, [_environment(*item, settings) for item in reading.sections(document, "environments")])
    services = tuple(_service(*item) for item in reading.sections(document, "services"))
    return Project(
        name=name,
        pipeline=pipeline,
        owner=head.text("owner"),
        sources=tuple(sources.read(*item) for item in reading.sections(document, "sources")),
        checks=_checks(reading.section(document, "checks")),
        services=services,
        jobs=tuple(jobs.read(*item, places) for item in reading.sections(document, "jobs")),
        reactions=tuple(reactions.read(*item, document, places) for item in reading.sections(document, "reactions")),
        channels=tuple(notify.read(*item) for item in reading.sections(document, "notify")),
        alerts=tuple(alerts.read(*item, services, places) for item in reading.sections(document, "alerts")),
        objectives=tuple(
            alerts.objective(*item, services, places) for item in reading.sections(document, "objectives")
        ),
        settings=settings,
        environments=places,
        private=reading.section(document, "data").texts("private"),
        keep=_keep(reading.section(document, "keep")),
    )


def _keep(table: Table) -> Keep:
    return Keep(table.count("releases", Keep().releases), table.count("days", Keep().days))


def _pipeline(head: Table, path: str) -> None:
    if not path.endswith(".py"):
        if path.endswith((".yaml", ".yml")):
            head.later("pipeline", f'names "{path}": only a Python file is built yet', 'write pipeline = "pipeline.py"')
        elif path:
            head.wrong("pipeline", f'names "{path}", which is not a Python file', 'write pipeline = "pipeline.py"')
    elif sources.outside(path):
        head.wrong("pipeline", f'names "{path}", which is not a path inside the project')


def _checks(table: Table) -> Checks:
    unsure: dict[str, str] = {}
    for name, answer in table.table("when_unsure").items():
        if answer in ("warn", "ask"):
            unsure[name] = answer
        else:
            table.wrong("when_unsure", f'says {answer!r} for {name}, not "warn" or "ask"')
    return Checks(table.commands("code"), table.seconds("timeout", Checks().timeout), unsure)


def _service(name: str, table: Table) -> Service:
    if problem := names.problem(name):
        table.wrong("", f"has a wrong name: {problem}")
    form, run = _form(table)
    health = table.text("health", "/")
    if not health.startswith("/") or any(ord(character) <= 32 for character in health):
        table.wrong("health", f'is "{health}", not a path such as "/health"')
    return Service(
        name,
        form,
        run,
        table.texts("uses"),
        table.count("instances", 1),
        health,
        table.seconds("drain", 30.0),
        table.seconds("start_timeout", 60.0),
        table.text("owner"),
        table.line,
        _secrets(table),
        prediction_keys.read(table),
    )


def _secrets(table: Table) -> tuple[str, ...]:
    """The names of secrets that a service or a verification needs, each once."""
    found = table.texts("secrets")
    for name in found:
        if not _VARIABLE.match(name):
            table.wrong("secrets", f'names "{name}", which cannot be the name of a secret', "write it like DB_URL")
    return tuple(dict.fromkeys(found))


def _form(table: Table) -> tuple[Literal["predict", "app", "command"], str]:
    """Which of its three forms a service says, and what it says there."""
    predict, app, command = (table.optional(form) for form in ("predict", "app", "command"))
    if predict is not None and not _FUNCTION.match(predict):
        table.wrong("predict", f'names "{predict}", which is not module:function', 'write predict = "service:predict"')
    if app is not None and not _FUNCTION.match(app):
        table.wrong("app", f'names "{app}", which is not module:application', 'write app = "service:app"')
    if command is not None:
        table.command("command", command)
    said = [form for form in ("predict", "app", "command") if form in table]
    if len(said) != 1:
        what = f"says both {' and '.join(said)}" if said else "says neither predict nor app nor command"
        table.wrong(said[-1] if said else "", what)
    if predict is not None:
        return "predict", predict
    return ("app", app) if app is not None else ("command", command or "")


def _setting(name: str, table: Table) -> Setting | None:
    if not _VARIABLE.match(name):
        table.wrong("", "cannot be the name of an environment variable")
    elif name == "PORT" or name.startswith("CIRANDA_"):
        table.wrong("", "is a variable that Ciranda sets itself")
    type_ = table.text("type", "str")
    match type_:
        case "str" | "int" | "float" | "bool":
            default = table.scalar("default")
            if isinstance(default, str) and default.startswith("secret:"):
                table.later(
                    "default", "names a secret: only services take them yet", 'write secrets = ["…"] in [services.NAME]'
                )
            elif default is not None:
                value = layers.typed(type_, default)
                if value is not None and (problem := layers.unfit(value)):
                    table.wrong("default", problem)
                    return None
                if value is not None:
                    return Setting(name, type_, value, table.line)
                table.wrong("default", f"is {default!r}, not {layers.SAID[type_]}")
        case _:
            hint = names.suggestion(type_, layers.SAID) or f"known: {', '.join(layers.SAID)}"
            table.wrong("type", f'is "{type_}", which is not a type', hint)
    return None


def _environment(name: str, table: Table, settings: Sequence[Setting]) -> Environment:
    if problem := names.problem(name):
        table.wrong("", f"has a wrong name: {problem}")
    elif name.startswith("preview-"):
        table.later("", "has a name that is kept for previews, which are not built yet", "choose another name")
    known = {setting.name: setting for setting in settings}
    config: dict[str, Scalar] = {}
    for key, value in table.table("config").items():
        full = f"config.{key}"
        if key not in known:
            hint = names.suggestion(key, known) or f"declare it: [config.{key}]"
            table.wrong("config", f'sets "{key}", which no [config.{key}] declares', hint)
        elif isinstance(value, str) and value.startswith("secret:"):
            table.later(
                "config",
                f'names a secret for "{key}": only services take them yet',
                'write secrets = ["…"] in [services.NAME]',
            )
        elif not isinstance(value, str | int | float | bool) or (typed := layers.typed(known[key].type, value)) is None:
            table.wrong("config", f"sets {full} to {value!r}, not {layers.SAID[known[key].type]}")
        elif problem := layers.unfit(typed):
            table.wrong("config", f"sets {full} to what {problem}")
        else:
            config[key] = typed
    return Environment(
        name,
        table.optional("after"),
        table.commands("verify"),
        table.seconds("verify_timeout", 300.0),
        config,
        table.line,
        table.whole("approvals", 0),
        _secrets(table),
        infra.folder(table),
        infra.check(table),
        rollout_keys.read(table),
        table.flag("four_eyes"),
        _freeze(table),
    )


def _freeze(table: Table) -> tuple[str, ...]:
    texts = table.texts("freeze")
    if (wrong := freeze.wrong(texts)) is None:
        return texts
    text, error = wrong
    table.wrong("freeze", f'has "{text}": {error}', error.hint, value=text)
    return ()


def _chain(reading: Reading, environments: Sequence[Environment]) -> tuple[Environment, ...]:
    """The environments in promotion order: one starts the chain, every other comes after exactly one."""
    before = len(reading.problems)
    known = {environment.name: environment for environment in environments}
    following: dict[str | None, Environment] = {}
    for environment in environments:
        path = ("environments", environment.name, "after")
        after = environment.after
        if after is not None and after not in known:
            hint = names.suggestion(after, known) or f"known: {', '.join(known)}"
            reading.wrong(
                path, f'environments.{environment.name}.after names "{after}", which is not an environment', hint
            )
        elif after in following:
            first = following[after].name
            where = f'come after "{after}"' if after else "come first"
            reading.wrong(
                path,
                f'"{first}" and "{environment.name}" both {where}: the chain has one order',
                f'write after = "{first}"',
            )
        else:
            following[after] = environment
    ordered: list[Environment] = []
    at: str | None = None
    while (found := following.get(at)) is not None and len(ordered) < len(environments):
        ordered.append(found)
        at = found.name
    lost = [environment for environment in environments if environment not in ordered]
    if lost and len(reading.problems) == before:
        circle = _circle(known, lost[0])
        reading.wrong(
            ("environments", lost[0].name, "after"), f"these environments come after each other in a circle: {circle}"
        )
    return tuple(ordered)


def _circle(known: Mapping[str, Environment], start: Environment) -> str:
    walked: list[str] = []
    at: str | None = start.name
    while at is not None and at not in walked:
        walked.append(at)
        at = known[at].after
    return " → ".join([*walked[walked.index(at) :], at]) if at else " → ".join(walked)
