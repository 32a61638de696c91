"""The supervisor: starts, stops, observes and routes instances through the keeper and the gateway.

What it knows is derived: the keeper's list, the routes table, the specifications written beside. It may die at any moment.
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ciranda.kernel import clock, confine, errors, sockets, volatile
from ciranda.kernel.failpoints import failpoint
from ciranda.service import exits, health, logs, specs, table
from ciranda.service.port import Instance, InstanceSpec, Route

_ASK = 20.0  # seconds for the keeper, which may be starting something else
_GATEWAY = 10.0  # seconds for which a gateway that is away is waited for
_FIRST = 0.5  # seconds for the first answer of an instance that is new to this process but not to the world
_LOST = 60.0  # seconds after which a folder that no instance uses is taken again
_LOOK = 0.02  # seconds between looks at what has no way to tell
# what an instance gets of the environment of Ciranda itself
_INHERITED = (
    *(
        "PATH",
        "HOME",
        "USER",
        "LOGNAME",
        "LANG",
        "LC_ALL",
        "LC_CTYPE",
        "TZ",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ),
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "CUDA_VISIBLE_DEVICES",
        "OMP_NUM_THREADS",
    ),
)


# project, environment, name → version: the values
Unseal = Callable[[str, str, Mapping[str, int]], Mapping[str, bytes]]


class Supervisor:
    """The instances of one home."""

    def __init__(self, home: Path, changed: Callable[[], None] = lambda: None, unseal: Unseal | None = None) -> None:
        """`changed` is called from a thread when an instance's health has changed; `unseal` gives the values of versions of
        secrets. Raises errors.Refused."""
        self._home = home
        self._state = home / "state"
        self._specs = self._state / "specs"
        self._secrets = volatile.place(home, "secrets")
        self._unseal = unseal
        self._swept = False
        self._sockets = sockets.folder(home)
        self._changed = changed
        self._lock = threading.Lock()
        self._watches: dict[str, health.Watch] = {}
        self._drains: dict[str, threading.Thread] = {}
        self._starting: list[str] = []  # specifications written down, of instances that the keeper does not list yet
        self._named: set[str] = set()  # these instances
        self._closed = threading.Event()
        self._in_force = 0  # the serial of the last table that the gateway told this process of
        self._exits = exits.Listener(self._sockets, changed)

    def close(self) -> None:
        """End this process's threads; the instances go on."""
        self._closed.set()
        self._exits.close()
        with self._lock:
            watches, drains = list(self._watches.values()), list(self._drains.values())
        for watch in watches:
            watch.end()
        for watch in watches:
            watch.join()
        for drain in drains:
            drain.join()

    # -- instances

    def start(self, spec: InstanceSpec) -> str:
        """Start one more instance; returns its id. Raises errors.Refused with what the system said, errors.Unreachable."""
        name = f"{spec.environment}-{spec.service}-{spec.release}-{clock.uuid7()[-8:]}"
        with self._lock:
            self._starting.append(spec.digest)
            self._named.add(name)
        try:
            return self._start(spec, name)
        finally:
            with self._lock:
                self._starting.remove(spec.digest)
                self._named.discard(name)

    def _start(self, spec: InstanceSpec, name: str) -> str:
        kept = specs.keep(self._specs, spec)
        log = logs.path(self._home / "logs", spec.project, spec.environment, spec.service, name)
        log.parent.mkdir(parents=True, exist_ok=True)
        secrets = self._secret_files(spec, name)
        folder: Path | None = None
        if spec.form != "command":
            folder = self._folder()
            address = f"unix:{folder / 'http'}"
            variables = {"CIRANDA_SOCKET": str(folder / "http")}
        else:
            port = _free_port()
            address = f"tcp:127.0.0.1:{port}"
            variables = {"PORT": str(port)}
        if secrets is not None:
            variables["CIRANDA_SECRETS"] = str(secrets)
        for mount in spec.mounts:
            if mount.writable:
                mount.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        confined = bool(confine.available())
        argv = list(spec.argv)
        if confined:
            argv = confine.wrap(
                argv,
                readable=[
                    *(mount.path for mount in spec.mounts if not mount.writable),
                    *([secrets] if secrets else []),
                ],
                writable=[*(mount.path for mount in spec.mounts if mount.writable), *([folder] if folder else [])],
                hidden=[self._home, self._sockets],
                directory=spec.directory,
                die_with_parent=False,
                info_fd=0,
            )
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        try:
            self._keeper(
                {
                    "type": "start",
                    "id": name,
                    "argv": argv,
                    "env": {**inherited, "PYTHONUNBUFFERED": "1", **spec.variables, **variables},
                    "cwd": str(spec.directory),
                    "log": str(log),
                    "spec": kept,
                    "inner": confined,
                    "drain": spec.drain,
                    "note": {
                        "address": address,
                        "confined": confined,
                        **({} if secrets is None else {"secrets": str(secrets)}),
                    },
                }
            )
        except errors.Refused:  # of an unreachable keeper it is not known what it did
            if folder is not None:
                folder.rmdir()
            if secrets is not None:
                shutil.rmtree(secrets, ignore_errors=True)
            raise
        return name

    def _secret_files(self, spec: InstanceSpec, name: str) -> Path | None:
        """The folder with the secrets of an instance, one file each; None when it has none. Raises as `unseal` does."""
        if not spec.secrets:
            return None
        if self._unseal is None:
            raise errors.Refused(f"{spec.service} needs secrets, and nobody here can unseal them")
        folder = self._secrets / name
        values = self._unseal(spec.project, spec.environment, spec.secrets)
        with self._lock:  # else a sweep might take the folder around it away
            volatile.keep(folder, values)
        return folder

    def stop(self, instance: str) -> None:
        """Begin to stop an instance that is routed no more: what is in flight ends, SIGTERM, `drain` seconds, SIGKILL."""
        child = self._children().get(instance)
        if child is None or child["exit"] is not None or child["terminated"]:
            return
        if child["kill_us"] is None:
            self._keeper({"type": "signal", "id": instance, "signal": None, "kill_after": 2 * child["drain"]})
        self._drain(instance, child["drain"])

    def observe(self) -> list[Instance]:
        """Every instance that the keeper knows. Raises errors.Unreachable when there is no keeper."""
        known = self._children()
        if not self._swept:
            self._sweep_secrets(known)
            self._swept = True
        in_flight = self._in_flight()
        living = {name: child for name, child in known.items() if child["exit"] is None}
        with self._lock:
            for name in self._watches.keys() - living.keys():
                self._watches.pop(name).end()
            for name, child in living.items():
                if name not in self._watches and not self._closed.is_set():
                    path = specs.load(self._specs, child["spec"]).health
                    self._watches[name] = health.Watch(child["note"]["address"], path, self._changed)
            watches = dict(self._watches)
        until = time.monotonic() + _FIRST
        for watch in watches.values():
            watch.asked.wait(max(until - time.monotonic(), 0))
        for name, child in living.items():
            if child["kill_us"] is not None and not child["terminated"]:
                self._drain(name, child["drain"])  # this control did not begin it
        return [_instance(child, watches.get(name), in_flight.get(name, 0)) for name, child in known.items()]

    def forget(self, instance: str) -> None:
        """Drop an exited instance and what it used. Raises errors.Refused while it runs."""
        child = self._children().get(instance)
        if child is None:
            return
        self._keeper({"type": "forget", "id": instance})
        there = table.parse_address(child["note"]["address"])
        if isinstance(there, str):
            shutil.rmtree(Path(there).parent, ignore_errors=True)
        with self._lock:  # whoever starts now has said so before it wrote a specification
            left = self._children()
            specs.sweep(self._specs, {*self._starting, *(other["spec"] for other in left.values())})
            volatile.sweep(self._secrets, {*self._named, *left})

    def _sweep_secrets(self, known: Mapping[str, object]) -> None:
        """Remove the secrets of instances that nobody keeps any more."""
        with self._lock:
            volatile.sweep(self._secrets, {*self._named, *known})

    # -- routes

    def route(self, project: str, environment: str, routes: Sequence[Route]) -> None:
        """Replace the routes of one environment; returns when they are in force. Raises errors.Unreachable, errors.Refused."""
        with self._routes() as path:
            written = self._written()
            before = written or self._good()
            wanted = before.replaced(project, environment, routes)
            if written is not None and wanted.routes == written.routes:
                wanted = written  # it lies there already, but perhaps nobody has read it
            else:
                table.save(path, wanted)
            failpoint("route.written")
            self._reload(wanted.serial)
            failpoint("route.acknowledged")

    def routed(self, project: str, environment: str) -> list[Route]:
        """The routes of one environment that are in force. Raises errors.Unreachable, errors.Refused."""
        found = self._written() or self._good()
        if found.serial > self._in_force:  # who wrote them may have died before the gateway was told
            self._reload(found.serial)
        return [route for route in found.routes if (route.project, route.environment) == (project, environment)]

    def _reload(self, serial: int) -> None:
        until = time.monotonic() + _GATEWAY
        while True:
            try:
                answer = sockets.ask(self._sockets / "gateway", {"type": "reload", "serial": serial}, _GATEWAY)
            except errors.Unreachable:
                if time.monotonic() > until:
                    raise
                time.sleep(_LOOK)  # the keeper starts it again, and it has nobody to tell
            else:
                if not answer["ok"]:
                    raise errors.Refused(f"the gateway did not take the routes: {answer['error']}")
                self._in_force = max(self._in_force, serial)
                return

    def _written(self) -> table.Table | None:
        """What was last written; None when there is nothing, or it cannot be read."""
        path = self._state / "routes.json"
        try:
            return table.load(path) if path.exists() else None
        except errors.Corrupt:
            return None

    def _good(self) -> table.Table:
        """What the gateway last took."""
        return table.load(self._state / "routes.good.json")

    @contextlib.contextmanager
    def _routes(self) -> Iterator[Path]:
        """The table's path, with the right to write it."""
        with open(self._state / "routes.lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._state / "routes.json"

    # -- the others

    def _keeper(self, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = sockets.ask(self._sockets / "keeper", request, _ASK)
        if not answer["ok"]:
            raise errors.Refused(f"the keeper refused: {answer['error']}", where=str(request.get("id", "")))
        return answer

    def _children(self) -> dict[str, dict[str, Any]]:
        listed = self._keeper({"type": "list"})["children"]
        return {child["id"]: child for child in listed if child["role"] == "instance"}

    def _in_flight(self) -> dict[str, int]:
        try:
            return dict(sockets.ask(self._sockets / "gateway", {"type": "state"}, 1.0)["in_flight"])
        except errors.Unreachable:
            return {}  # with the gateway all that was in flight has ended

    def _folder(self) -> Path:
        used = {child["note"]["address"] for child in self._children().values()}
        for number in itertools.count(1):
            folder = self._sockets / str(number)
            if (
                folder.exists()
                and f"unix:{folder / 'http'}" not in used
                and time.time() - folder.stat().st_mtime > _LOST
            ):
                shutil.rmtree(folder)
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
                break
        return folder

    def _drain(self, instance: str, drain: float) -> None:
        with self._lock:
            if instance in self._drains or self._closed.is_set():
                return
            thread = threading.Thread(
                target=self._drained, args=(instance, drain), name=f"drain {instance}", daemon=True
            )
            self._drains[instance] = thread
        thread.start()

    def _drained(self, instance: str, drain: float) -> None:
        until = time.monotonic() + drain
        while self._in_flight().get(instance) and time.monotonic() < until and not self._closed.wait(_LOOK):
            pass
        try:
            if not self._closed.is_set():
                self._keeper({"type": "signal", "id": instance, "signal": "TERM", "kill_after": drain})
        except (errors.Unreachable, errors.Refused):
            pass  # the next look begins it again
        finally:
            with self._lock:
                self._drains.pop(instance, None)
            self._changed()


def _instance(child: Mapping[str, Any], watch: health.Watch | None, in_flight: int) -> Instance:
    asked = child["kill_us"] is not None or child["terminated"]
    health_now = watch.state if watch is not None else "starting"
    return Instance(
        id=child["id"],
        spec=child["spec"],
        state="exited" if child["exit"] is not None else "draining" if asked else health_now,
        started_us=child["started_us"],
        address=child["note"]["address"],
        confined=child["note"]["confined"],
        exit=child["exit"],
        in_flight=in_flight,
        log=Path(child["log"]),
        asked=asked,
    )


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as asking:
        asking.bind(("127.0.0.1", 0))
        return int(asking.getsockname()[1])
