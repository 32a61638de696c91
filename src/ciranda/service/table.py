"""The routes table as it lies in `state/routes.json`: read, checked, written. Pure but for the file."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, files
from ciranda.service.port import Route, Target

FORMAT = "ciranda.routes/1"
LIMITS = {"body": 64 * 1024 * 1024, "timeout": 60.0}  # bytes, seconds to the first byte of an answer


@dataclass(frozen=True, slots=True)
class Table:
    """Every route of a home, and a serial that grows with each change."""

    serial: int = 0
    routes: tuple[Route, ...] = ()

    def replaced(self, project: str, environment: str, routes: Iterable[Route]) -> "Table":
        """This table with the routes of one environment replaced, one serial on."""
        others = [route for route in self.routes if (route.project, route.environment) != (project, environment)]
        return Table(self.serial + 1, tuple(sorted([*others, *routes], key=lambda route: route.prefix)))


def encode(table: Table) -> bytes:
    """The bytes of the file."""
    document = {"format": FORMAT, "serial": table.serial, "routes": [_entry(route) for route in table.routes]}
    return json.dumps(document, indent=1).encode()


def decode(data: bytes) -> Table:
    """The table in these bytes. Raises errors.Corrupt when they are torn, of another format, or make no sense."""
    try:
        document = json.loads(data)
        if document["format"] != FORMAT:
            raise ValueError(f"format is {document['format']!r}")
        routes = tuple(_route(entry) for entry in document["routes"])
        if len({route.prefix for route in routes}) != len(routes):
            raise ValueError("a route is there twice")
        return Table(int(document["serial"]), routes)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise errors.Corrupt(f"the routes table cannot be read: {error}", hint="ciranda up") from error


def load(path: Path) -> Table:
    """The table of a home; an empty one when there is none yet. Raises errors.Corrupt."""
    try:
        return decode(path.read_bytes())
    except FileNotFoundError:
        return Table()


def save(path: Path, table: Table) -> None:
    """Replace the file durably."""
    files.write_atomic(path, encode(table))


def _entry(route: Route) -> dict[str, Any]:
    found = asdict(route)
    return found if route.sticky else {key: value for key, value in found.items() if key != "sticky"}


def _route(entry: Mapping[str, Any]) -> Route:
    targets = tuple(
        Target(str(target["release"]), int(target["weight"]), {str(i): str(a) for i, a in target["instances"].items()})
        for target in entry["targets"]
    )
    if any(target.weight < 0 for target in targets):
        raise ValueError("a weight is below zero")
    for address in (address for target in targets for address in target.instances.values()):
        parse_address(address)
    limits = {str(key): float(value) for key, value in entry.get("limits", {}).items()}
    sticky = str(entry.get("sticky", ""))
    if sticky and not sticky.startswith(("header:", "cookie:")):
        raise ValueError(f"{sticky!r} tells no client")
    return Route(str(entry["project"]), str(entry["environment"]), str(entry["service"]), targets, limits, sticky)


def parse_address(address: str) -> str | tuple[str, int]:
    """A path for `unix:/path`, host and port for `tcp:host:port`. Raises ValueError."""
    kind, _, rest = address.partition(":")
    if kind == "unix" and rest.startswith("/"):
        return rest
    host, _, port = rest.rpartition(":")
    if kind == "tcp" and host and 0 < int(port) < 65536:
        return host, int(port)
    raise ValueError(f"{address!r} is not an address")
