"""The files that `ciranda export` writes, from the project of a folder or those of a home."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ciranda.app import home as homes
from ciranda.app.exports import grafana as dashboards
from ciranda.app.exports import rules, scraping, yaml
from ciranda.kernel import errors
from ciranda.loop import changes, receive
from ciranda.project import read
from ciranda.project.declaration import Project
from ciranda.versions import repositories

RULES, SCRAPE, CALLS = "ciranda.rules.yml", "prometheus.yml", "alertmanager.yml"
SERVER = "127.0.0.1:7700"  # where nothing was ever up
_MADE = "made by: ciranda export prometheus"


@dataclass(frozen=True, slots=True)
class File:
    """A file: what is in it, and what it is for."""

    text: str
    document: Mapping[str, Any]
    says: str


def grafana() -> dict[str, File]:
    """The dashboards."""
    return {
        name: File(json.dumps(one, ensure_ascii=False, indent=2) + "\n", one, f"{one['title']}: import it in Grafana")
        for name, one in dashboards.dashboards().items()
    }


def prometheus(
    home: homes.Home,
    start: Path,
    *,
    project: str | None,
    server: str | None,
    alertmanager: str,
    token_file: str,
    folder: Path | None,
) -> dict[str, File]:
    """Rules, a configuration for Prometheus and one for its Alertmanager. `folder`: where they will lie.

    Raises errors.NotFound for a project that nobody knows, errors.Invalid for a declaration that cannot be read.
    """
    at = server or address(home)
    made = rules.of(declared(home, start, project))
    rules_file = RULES if folder is None else str(folder / RULES)
    scrape = scraping.prometheus(at, rules_file=rules_file, alertmanager=alertmanager, token_file=token_file)
    calls = scraping.alertmanager(at, token_file or str(home.token))
    left_out = [f"Ciranda alone watches {one}" for one in made.left_out]
    return {
        RULES: File(yaml.text(made.document(), [_MADE, *left_out]), made.document(), "check it: promtool check rules"),
        SCRAPE: File(yaml.text(scrape, [_MADE]), scrape, "a whole configuration, or take its parts into yours"),
        CALLS: File(yaml.text(calls, [_MADE]), calls, "Prometheus' alerts are told to Ciranda too"),
    }


def address(home: homes.Home) -> str:
    """Where the server of a home listens, as `up` wrote it: host:port."""
    try:
        return urlsplit(str(json.loads((home.state / "server.json").read_text())["url"])).netloc
    except (OSError, ValueError, KeyError):
        return SERVER


def declared(home: homes.Home, start: Path, named: str | None) -> Sequence[Project]:
    """The project of a folder; else those of the home, as their protected branches declare them."""
    if named is None:
        for folder in (start, *start.parents):
            if (folder / read.FILE).is_file():
                return [read.read(folder / read.FILE)]
    if not (home.root / "format").exists():
        if named is None:
            return []
        raise errors.NotFound(f"there is no project {named}", where=str(home.root), hint="start a home: ciranda up")
    found = []
    with homes.opened(home) as (ledger, _):
        known = changes.projects(ledger)
        for one in known:
            if named in (None, one.name):
                repository = repositories.path(home.repositories, one.repository)
                head = repositories.read_ref(repository, f"refs/heads/{one.branch}")
                if head is not None:
                    found.append(receive.declared(repository, head))
    if named is not None and not found:
        there = ", ".join(one.name for one in known) or "none"
        raise errors.NotFound(f"there is no project {named}", hint=f"what there is: {there}")
    return found
