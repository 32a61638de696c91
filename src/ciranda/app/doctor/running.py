"""The server of a home: whether it runs, answers, and is found from here."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciranda.app import client, up
from ciranda.app import home as homes
from ciranda.app.doctor import findings
from ciranda.app.doctor.findings import Finding
from ciranda.kernel import errors, process, sockets
from ciranda.service import children

ASK = 3.0  # seconds for an answer
ROLES = ("control", "gateway", "runner")


@dataclass(frozen=True, slots=True)
class Server:
    """What was found. `pid`: the keeper's, None: none runs."""

    pid: int | None
    url: str
    gateway: str
    known: bool  # a server was up here at some time
    folder: str  # where its sockets lie
    looked: str  # where this process looks for them
    reached: bool  # it answers in its folder
    silent: Mapping[str, str]  # roles that do not answer: why
    roles: frozenset[str]  # that run
    living: tuple[str, ...]  # processes of the home that live, by what they are
    vanished: tuple[str, ...]  # processes that are recorded as living, and are not
    instances: frozenset[str]
    logs: str
    record: str  # what is wrong with the record of the processes, or ""

    @property
    def up(self) -> bool:
        """It runs and can be asked from here."""
        return self.pid is not None and self.reached

    @property
    def serves(self) -> bool:
        """A gateway lives: requests are answered, whatever became of its keeper."""
        return "gateway" in self.roles or "gateway" in self.living


def observe(home: homes.Home) -> Server:
    """Look for the server, and ask each of its parts."""
    said = _json(home.state / "keeper.json")
    known = _json(home.state / "server.json")
    looked = str(sockets.place(home.root))
    folder = str(said.get("sockets", looked))
    recorded, record = _children(home.state / "children.json")
    pid = _keeper(known.get("pid"), home)
    listed: Mapping[str, Any] = {}
    with suppress(errors.Unreachable):
        listed = sockets.ask(Path(folder) / "keeper", {"type": "list"}, ASK)
    if listed:
        pid = int(listed["pid"])
        at = listed["listen"]
        known = {**known, **{name: f"http://{host}:{port}" for name, (host, port) in at.items()}}
    url, gateway = str(known.get("control") or known.get("url", "")), str(known.get("gateway", ""))
    going = [child for child in listed.get("children", ()) if child["exit"] is None]
    alive = [child for child in recorded if child.exit is None and process.alive(child.identity)]
    gone = [child for child in recorded if child.exit is None and child not in alive]
    return Server(
        pid=pid,
        url=url,
        gateway=gateway,
        known=bool(known),
        folder=folder,
        looked=looked,
        reached=bool(listed),
        silent=_silent(url, Path(folder)) if listed else {},
        roles=frozenset(child["role"] for child in going),
        living=tuple(sorted(child.role for child in alive)),
        vanished=tuple(child.id for child in gone) if listed else (),
        instances=frozenset(child["id"] for child in going if child["role"] == "instance"),
        logs=str(home.logs),
        record=record,
    )


def judge(server: Server) -> Iterator[Finding]:
    """What that means. Pure."""
    if server.record:
        yield findings.wrong(
            server.record, mend="ciranda down && rm state/children.json && ciranda up --detach, in the home"
        )
    if server.pid is None:
        if server.living:
            left = findings.plural(len(server.living), "process of it still runs", "processes of it still run")
            said = f"the keeper is gone, and {left}"
            told = findings.some(f"{server.living.count(role)} {role}" for role in dict.fromkeys(server.living))
            yield findings.wrong(said, told, "take them up: ciranda up --detach   end them: ciranda down")
        else:
            yield findings.ok("no server runs" if server.known else "no server has run here yet")
        return
    if not server.reached:
        yield _unreached(server)
        return
    if Path(server.folder) != Path(server.looked):
        base = Path(server.folder).parent.parent
        yield findings.wrong(
            f"the server keeps its sockets in {server.folder}, and commands from here look in {server.looked}",
            f"process {server.pid}",
            f"export XDG_RUNTIME_DIR={base}   (in cron: XDG_RUNTIME_DIR={base} before the command)",
        )
    for role in ROLES:
        log = f"{server.logs}/{role}.log"
        if role not in server.roles:
            yield findings.wrong(f"{role} does not run: the keeper starts it again and again", log, f"tail {log}")
        elif role in server.silent:
            yield findings.wrong(f"{role} does not answer: {server.silent[role]}", log, f"tail {log}")
    if not server.silent and server.roles.issuperset(ROLES):
        yield findings.ok(f"the server runs (process {server.pid}): control, gateway and runner answer", server.url)
    if server.vanished:
        gone = findings.plural(len(server.vanished), "process of the record is", "processes of the record are")
        yield findings.warn(
            f"{gone} gone, and nobody has noticed yet",
            findings.some(server.vanished),
            "look again in a moment: ciranda doctor",
        )


def _unreached(server: Server) -> Finding:
    if not Path(server.folder).exists():
        return findings.wrong(
            f"the server's sockets are gone: something cleaned {server.folder}",
            f"process {server.pid}",
            f"kill -TERM {server.pid} && ciranda up --detach   (a place that nobody cleans: loginctl enable-linger)",
        )
    log = f"{server.logs}/keeper.log"
    return findings.wrong(
        f"the keeper (process {server.pid}) does not answer", log, f"kill -KILL {server.pid} && ciranda up --detach"
    )


def _keeper(pid: object, home: homes.Home) -> int | None:
    """The process that was written down as keeper, if it still is this home's."""
    if not isinstance(pid, int):
        return None
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        config = str(home.state / "keeper.json").encode()
        if up.KEEPER.encode() in words and config in words and process.of(pid) is not None:
            return pid
    return None


def _silent(url: str, folder: Path) -> dict[str, str]:
    found = {}
    try:
        client.Client(url, timeout=ASK).get("version")
    except errors.CirandaError as error:
        found["control"] = error.message
    try:
        sockets.ask(folder / "gateway", {"type": "state"}, ASK)
    except errors.Unreachable as error:
        found["gateway"] = error.message
    return found


def _children(path: Path) -> tuple[list[children.Child], str]:
    try:
        return children.load(path), ""
    except errors.Corrupt as error:
        return [], f"{error.message} ({path})"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
