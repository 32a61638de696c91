"""`ciranda export`: rules and a scrape for Prometheus, dashboards for Grafana."""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ciranda.app import home as homes
from ciranda.app.exports import exporting
from ciranda.cli import words
from ciranda.kernel import errors, files

EXAMPLE = (
    "  ciranda export prometheus\n  ciranda export prometheus --out /etc/prometheus/ciranda\n"
    "  ciranda export grafana --out dashboards"
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the verb."""
    parser.add_argument("what", choices=("prometheus", "grafana"), metavar="prometheus|grafana", help="for whom")
    parser.add_argument("--out", metavar="DIR", help="write the files into this folder")
    parser.add_argument(
        "--project", metavar="NAME", help="prometheus: only this project (default: the folder's, else all)"
    )
    parser.add_argument(
        "--server", metavar="HOST:PORT", help="prometheus: where Ciranda is scraped (default: this home's)"
    )
    parser.add_argument(
        "--alertmanager",
        metavar="HOST:PORT",
        default="127.0.0.1:9093",
        help="prometheus: where alerts go (%(default)s)",
    )
    parser.add_argument("--token-file", metavar="FILE", help="prometheus: the file with the token that it asks with")


def main(given: argparse.Namespace) -> int:
    """Write or print the files."""
    home = homes.locate(given.home)
    if given.what == "grafana":
        found = exporting.grafana()
    else:
        found = exporting.prometheus(
            home,
            Path.cwd(),
            project=given.project,
            server=given.server,
            alertmanager=given.alertmanager,
            token_file=given.token_file or "",
            folder=None if given.out is None else Path(given.out).absolute(),
        )
    if given.out is None:
        words.out(_printed(given, found).rstrip("\n"))
        return 0
    folder = Path(given.out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, one in found.items():
            files.write_atomic(folder / name, one.text.encode())
    except OSError as error:
        raise errors.Refused(f"this cannot be written: {error.strerror}", where=str(folder)) from None
    if given.json:
        words.out(json.dumps({"folder": str(folder), "files": sorted(found)}))
        return 0
    for name, one in found.items():
        words.out(f"{folder / name}   {one.says}")
    return 0


def _printed(given: argparse.Namespace, found: Mapping[str, exporting.File]) -> str:
    """On standard output: with --json every document by its file's name, else the rules, or the dashboards one after another."""
    if given.json or given.what == "grafana":
        documents: dict[str, Any] = {name: one.document for name, one in found.items()}
        return json.dumps(documents, ensure_ascii=False, indent=None if given.json else 2)
    return found[exporting.RULES].text
