"""The keeper: parent of every long-lived process. Standard library only.

`python -I -m ciranda.service.keeper CONFIG`, a JSON file:

    {"format": "ciranda.keeper/1", "home": "/…", "state": "/…", "logs": "/…", "sockets": "/…",
     "roles": [{"name": "control", "argv": […], "listen": ["127.0.0.1", 7700]}, …]}

It opens the listening sockets, starts the roles in order, gives each its own socket (CIRANDA_LISTEN_FD) and the gateway
duplicates of all (CIRANDA_LISTENERS, JSON from name to descriptor), starts a role again when it exits, and starts
instances when it is asked to. It records each child in `children.json` before it answers. On SIGTERM, SIGINT or `stop` it
ends instances and roles, the gateway last; a second signal kills. After its own death the next keeper adopts what lives
and gets the listening sockets from the gateway.

Socket `keeper`, one JSON line a request, one a reply, any number on one connection:

    {"type": "start", "id", "argv", "env", "cwd", "log", "spec", "inner", "drain", "note"}  → {"ok": true, "child"}; again: the same
        note.secrets: a folder, whose contents are masked in the log; it goes when the instance has
    {"type": "signal", "id", "signal": "TERM" | "KILL" | null, "kill_after": seconds | null}  → {"ok": true, "child"}
    {"type": "list"}          → {"ok": true, "pid", "started_us", "children": […], "listen": {name: [host, port]}}
    {"type": "forget", "id"}  → {"ok": true}, of an exited one
    {"type": "stop"}          → {"ok": true, "pid"}; the connection ends when all have ended

`inner`: argv is bubblewrap's with --info-fd, whose number the keeper fills in. What is refused: {"ok": false, "error"}.
"""

import fcntl
import json
import os
import selectors
import signal as signals
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ciranda.kernel import errors, volatile
from ciranda.service import asking, children, exits, listening
from ciranda.service.children import Child
from ciranda.service.family import Family, say
from ciranda.service.maskers import ROLE, Maskers

_OPTIONS = {"gateway": "--gateway-port"}  # of `ciranda up`, where a role's port is chosen
_LEAVE = 10.0  # seconds for a role to leave
# seconds: back-off between starts of a role, forgotten once one has lived for the last
_FIRST_DELAY, _LONGEST_DELAY, _STEADY = 0.05, 5.0, 10.0


@dataclass(frozen=True, slots=True)
class Role:
    """A process that is always there."""

    name: str
    argv: tuple[str, ...]
    listen: tuple[str, int] | None


class Keeper:
    """One home's keeper."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take the home for this process. Raises errors.Refused if another keeper has it."""
        self.home = str(config["home"])
        self.state, self.logs, self.sockets = (Path(config[key]) for key in ("state", "logs", "sockets"))
        self.roles = [_role(entry) for entry in config["roles"]]
        self.listeners: dict[str, socket.socket] = {}
        self.selector = selectors.DefaultSelector()
        self.family = Family(self.state / "children.json", self.home, self.selector, self._left)
        self.maskers = Maskers(self.family, self.home, self._masker_again)
        self.restarts: dict[str, float] = {}  # role or masker → when (monotonic)
        self.delays: dict[str, float] = {}
        self.stopping = False
        self.started_us = time.time_ns() // 1000
        self.lock = open(self.state / "keeper.lock", "a+b")  # noqa: SIM115 - held as long as the process lives
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.lock.seek(0)
            pid = self.lock.read().decode() or "?"
            raise errors.Refused(
                f"a keeper runs already (process {pid})",
                hint="use it: ciranda status      end it: ciranda down",
            ) from None
        self.lock.truncate(0)
        self.lock.write(str(os.getpid()).encode())
        self.lock.flush()

    # -- beginning

    def begin(self) -> None:
        """Adopt what lives, listen, start what is missing. Raises errors.Refused when a port is in use."""
        self._hear_signals()
        self.family.adopt()
        self.maskers.adopt()
        self._listen()
        asking.Desk(listening.on_path(self.sockets / "keeper"), self.selector, self.answer)
        running = {child.role for child in self.family.living()}
        for role in self.roles:
            if role.name not in running:
                self._start_role(role)

    def _listen(self) -> None:
        wanted = {role.name: role.listen for role in self.roles if role.listen}
        adopted = [child for child in self.family.living() if child.role not in ("instance", ROLE)]
        if any(child.role == "gateway" for child in adopted):
            self.listeners = listening.taken_over(self.sockets / "gateway", wanted)
        if not self.listeners and adopted:  # what holds the ports must go first
            for child in adopted:
                say(f"{child.id} is ended: its listening socket cannot be had")
                children.signal(child, signals.SIGKILL)
            self._until_gone({child.id for child in adopted})
        if not self.listeners:
            self.listeners = {
                name: listening.on_port(*address, _OPTIONS.get(name, "--port")) for name, address in wanted.items()
            }

    def _until_gone(self, names: set[str]) -> None:
        until = time.monotonic() + _LEAVE
        while names & self.family.members.keys() and time.monotonic() < until:
            self._turn(until)
            self.restarts.clear()

    # -- roles

    def _start_role(self, role: Role) -> None:
        name = f"{role.name}.{os.urandom(4).hex()}"
        env = dict(os.environ)
        descriptors = []
        if role.name in self.listeners:
            descriptors.append(self.listeners[role.name].fileno())
            env["CIRANDA_LISTEN_FD"] = str(descriptors[0])
        if role.name == "gateway":
            every = {key: listener.fileno() for key, listener in self.listeners.items()}
            descriptors = list(every.values())
            env["CIRANDA_LISTENERS"] = json.dumps(every)
        log = str(self.logs / f"{role.name}.log")
        try:
            self.family.spawn(
                name, role.name, role.argv, env=env, cwd=self.home, log=log, drain=_LEAVE, descriptors=descriptors
            )
        except (OSError, errors.StorageFull) as error:
            say(f"{role.name} does not start: {error}")
            self._again_later(role.name, 0.0)

    def _left(self, child: Child) -> None:
        """A child has exited: a role is started again, of an instance whoever decides is told."""
        self.maskers.left(child, stopping=self.stopping)
        if child.role == "instance":
            exits.tell(self.sockets)
        elif child.role != ROLE:
            self._again_later(child.role, time.time() - child.started_us / 1e6)

    def _masker_again(self, name: str, started_us: float) -> None:
        self._again_later(name, time.time() - started_us / 1e6 if started_us else 0.0)

    def _again_later(self, role: str, lived: float) -> None:
        before = 0.0 if lived > _STEADY else self.delays.get(role, 0.0)
        delay = self.delays[role] = min(max(before * 2, _FIRST_DELAY), _LONGEST_DELAY)
        if not self.stopping:
            self.restarts[role] = time.monotonic() + delay

    # -- requests

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked. Raises errors.CirandaError, OSError, or KeyError/TypeError/ValueError for a malformed request."""
        match request["type"]:
            case "list":
                listen = {name: listener.getsockname()[:2] for name, listener in self.listeners.items()}
                every = [asdict(child) for child in self.family.members.values()]
                return {"pid": os.getpid(), "started_us": self.started_us, "children": every, "listen": listen}
            case "start":
                return {"child": asdict(self._start(request))}
            case "signal":
                number = request["signal"]
                number = None if number is None else signals.Signals[f"SIG{number}"]
                return {"child": asdict(self.family.signal(request["id"], number, request.get("kill_after")))}
            case "forget":
                self.family.forget(request["id"])
                return {}
            case "stop":
                self.stop()
                return {"pid": os.getpid()}
            case other:
                raise errors.Invalid(f"{other!r} is nothing that can be asked")

    def _start(self, request: Mapping[str, Any]) -> Child:
        if self.stopping:
            raise errors.Refused("the keeper is stopping")
        name = str(request["id"])
        if name in self.family.members:
            return self.family.get(name)
        log, note, output = str(request["log"]), dict(request.get("note", {})), None
        if "secrets" in note:
            output, note["pipe"] = self.maskers.open(name, str(note["secrets"]), log)
        try:
            return self.family.spawn(
                name,
                "instance",
                [str(word) for word in request["argv"]],
                env={str(key): str(value) for key, value in request["env"].items()},
                cwd=str(request["cwd"]),
                log=log,
                spec=str(request["spec"]),
                note=note,
                inner=bool(request["inner"]),
                drain=float(request["drain"]),
                streams=children.Streams(output=output),
            )
        finally:
            if output is not None:
                os.close(output)

    # -- the loop

    def run(self) -> None:
        """Serve until everything has ended."""
        while not self.stopping or self.family.living():
            self._turn()
        (self.sockets / "keeper").unlink(missing_ok=True)
        for name in ("secrets", "verify"):
            volatile.sweep(volatile.place(Path(self.home), name), ())

    def _hear_signals(self) -> None:
        read, write = socket.socketpair()
        for end in (read, write):
            end.setblocking(False)
        signals.set_wakeup_fd(write.fileno())
        for number in (signals.SIGTERM, signals.SIGINT):
            signals.signal(number, lambda *_: None)
        signals.signal(signals.SIGHUP, signals.SIG_IGN)
        self.selector.register(read, selectors.EVENT_READ, partial(self._told, read, write))

    def _told(self, read: socket.socket, _write: socket.socket) -> None:
        if set(read.recv(64)) & {signals.SIGTERM, signals.SIGINT}:
            self.stop()

    def _turn(self, until: float | None = None) -> None:
        """Wait for the next thing to do, and do it."""
        for key, _ in self.selector.select(self._patience(until)):
            key.data()
        self._due()

    def _patience(self, until: float | None) -> float | None:
        waits = [*self.family.patience(), *(when - time.monotonic() for when in self.restarts.values())]
        if until is not None:
            waits.append(until - time.monotonic())
        return max(min(waits), 0.0) if waits else None

    def _due(self) -> None:
        now = time.monotonic()
        roles = {role.name: role for role in self.roles}
        for name in [name for name, when in self.restarts.items() if when <= now]:
            del self.restarts[name]
            if name in roles:
                self._start_role(roles[name])
            else:
                self.maskers.start(name)
        self.family.kill_overdue()
        if self.stopping:
            self._end()

    # -- the end

    def stop(self) -> None:
        """Begin to end everything; the second time, at once."""
        if self.stopping:
            for child in self.family.living():
                children.signal(child, signals.SIGKILL)
        self.stopping = True
        self.restarts.clear()
        self._end()

    def _end(self) -> None:
        """Tell whoever's turn it is to leave: who decides (else control would see its instances die), then instances, then the gateway."""
        living = self.family.living()
        deciding = [child for child in living if child.role not in ("instance", "gateway", ROLE)]
        instances = [child for child in living if child.role == "instance"]
        for child in deciding or instances or living:
            if not child.terminated:
                self.family.terminate(child)


def _role(entry: Mapping[str, Any]) -> Role:
    listen = entry.get("listen")
    return Role(str(entry["name"]), tuple(entry["argv"]), (str(listen[0]), int(listen[1])) if listen else None)


def main() -> int:
    """Run the process; 1 with one line of why when it cannot begin."""
    try:
        keeper = Keeper(json.loads(Path(sys.argv[1]).read_bytes()))
        keeper.begin()
    except errors.CirandaError as error:
        place = f" ({error.where})" if error.where else ""
        print("  ".join(filter(None, (error.message + place, error.hint))), file=sys.stderr)  # noqa: T201 - `up` reads it
        return error.exit_code
    keeper.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
