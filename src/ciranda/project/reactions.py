"""The section `[reactions.NAME]`: what is done by itself when production finds something out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ciranda.project import names
from ciranda.project.declaration import Environment, Reaction
from ciranda.project.reading import Table

ON = ("drift", "errors")
DO = ("retrain", "rollback")


def read(name: str, table: Table, document: Mapping[str, Any], environments: Sequence[Environment]) -> Reaction:
    """One reaction; what is wrong is noted in the table. `document`: the whole declaration, for the names that it knows."""
    if problem := names.problem(name):
        table.wrong("", f"has a wrong name: {problem}")
    on, do, service = table.text("on"), table.text("do"), table.text("service")
    if "on" in table and on not in ON and not on.startswith("alert:"):
        table.wrong("on", f'is "{on}"', 'it may be "drift", "errors" or "alert:NAME"', value=on)
    kind, _, job = do.partition(":")
    if "do" in table and do not in DO and kind != "job":
        table.wrong("do", f'is "{do}"', 'it may be "retrain", "rollback" or "job:NAME"', value=do)
    if kind == "job":
        _known(table, "do", job, document.get("jobs", {}), "a job")
    if service:
        _known(table, "service", service, document.get("services", {}), "a service")
    places = table.texts("environments")
    for place in places:
        _known(table, "environments", place, [one.name for one in environments], "an environment")
    return Reaction(
        name=name,
        on=on,
        do=do,
        service=service,
        environments=places,
        cool_down=table.seconds("cool_down", Reaction(name, "", "").cool_down),
        at_most=table.count("at_most", Reaction(name, "", "").at_most),
        ask_first=table.whole("ask_first", Reaction(name, "", "").ask_first),
        line=table.line,
    )


def _known(table: Table, key: str, name: str, known: Iterable[str], what: str) -> None:
    known = list(known)
    if name not in known:
        hint = names.suggestion(name, known) or f"known: {', '.join(known) or 'none'}"
        table.wrong(key, f'names "{name}", which is not {what}', hint, value=name)
