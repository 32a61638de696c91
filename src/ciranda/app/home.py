"""The home: where everything lies, and the one place that opens ledger and store."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel import database, errors, files, migrations, sockets, store

FORMAT = "ciranda.home/3\n"
FORMER = ("ciranda.home/1\n", "ciranda.home/2\n")  # what `up` brings up to date
# The rooms that own tables, lowest first: the order in which their migrations run.
ROOMS = ("kernel", "access", "versions", "pipeline", "checks", "release", "monitor", "environment", "loop", "feedback")


@dataclass(frozen=True, slots=True)
class Home:
    """The layout of a home (ARCHITECTURE.md §3); paths only, nothing is opened."""

    root: Path

    @property
    def ledger_url(self) -> str:
        """The address of the ledger: what `ledger.url` says, else SQLite in the home."""
        named = self.root / "ledger.url"
        return named.read_text().strip() if named.exists() else f"sqlite:///{self.root / 'ledger.db'}"

    @property
    def token(self) -> Path:
        return self.root / "token"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def repositories(self) -> Path:
        return self.root / "repositories"

    @property
    def interpreters(self) -> Path:
        return self.root / "interpreters"

    @property
    def trees(self) -> Path:
        return self.root / "trees"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def lines(self) -> Path:
        return self.root / "lines"

    @property
    def predictions(self) -> Path:
        """What services predicted, until it is collected: a folder each, `PROJECT/ENVIRONMENT/SERVICE`."""
        return self.root / "predictions"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def sockets(self) -> Path:
        """The 0700 folder of this home's sockets; short, since socket paths end at 108 bytes."""
        return sockets.folder(self.root)


def locate(named: str | None = None) -> Home:
    """The home that `--home`, `$CIRANDA_HOME` or the default names; it need not exist."""
    named = named or os.environ.get("CIRANDA_HOME") or "~/.ciranda"
    return Home(Path(os.path.abspath(Path(named).expanduser())))  # without "..": a sandbox has no folder to go up from


def create(home: Home, ledger: str | None = None) -> None:
    """Make the folders, the format file and the tables; safe to repeat and safe to be killed in. Only `init`, `run` and `up` call it."""
    check_format(home)
    _make_folders(home)
    if not (home.root / "format").exists():
        made = database.open(ledger or home.ledger_url, home.sockets)
        try:
            migrations.migrate(made, [f"ciranda.{room}" for room in ROOMS])
        finally:
            made.close()
        if ledger and not ledger.startswith("sqlite:"):  # only now: an address that does not answer must not stay
            files.write_atomic(home.root / "ledger.url", ledger.encode() + b"\n", mode=0o600)
        files.write_atomic(home.root / "format", FORMAT.encode())


def upgrade(home: Home) -> str | None:
    """Bring a home of a former format up to date, after a copy of its ledger; returns where the copy is, None: nothing to do.

    Safe to be killed in: the format is written last. Only `up` calls it, when no server runs. Raises errors.StorageFull,
    errors.Refused while another process does the same.
    """
    former = _format(home)
    if former not in FORMER:
        return None
    with _alone(home):
        _make_folders(home)
        name = former.strip().replace("ciranda.", "").replace("/", "-")
        copied = database.copy(home.ledger_url, home.root / f"ledger-of-{name}.db")
        opened = database.open(home.ledger_url, home.sockets)
        try:
            migrations.migrate(opened, [f"ciranda.{room}" for room in ROOMS])
        finally:
            opened.close()
        files.write_atomic(home.root / "format", FORMAT.encode())
    return copied


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    with open(home.root / "upgrade.lock", "wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.Refused("this home is being brought up to date", where=str(home.root)) from None
        yield


def _format(home: Home) -> str | None:
    """What the home says of itself; None: there is none yet. Raises errors.Refused where it cannot be read."""
    try:
        return (home.root / "format").read_text()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(home, error) from None


def check_format(home: Home) -> None:
    """Refuse a home of another format; a home that does not exist yet passes."""
    found = _format(home)
    if found in FORMER:
        raise errors.Refused(
            "this home was made by an older Ciranda",
            where=str(home.root),
            hint="bring it up to date, a copy of its ledger is kept: ciranda up",
        )
    if found not in (None, FORMAT):
        raise errors.Refused(
            f"this home has the format {str(found).strip()!r}, not {FORMAT.strip()!r}",
            where=str(home.root),
            hint="use the Ciranda that made it, or another home: --home DIR",
        )


def _make_folders(home: Home) -> None:
    inside = (
        home.store,
        home.repositories,
        home.interpreters,
        home.trees,
        home.runs,
        home.lines,
        home.logs,
        home.state,
    )
    try:
        for folder in (home.root, *inside):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        if (said := files.no_room(error)) is not None:
            raise files.full(home.root, said) from None
        raise _unusable(home, error) from None


def _unusable(home: Home, error: OSError) -> errors.Refused:
    why = (error.strerror or str(error)).lower()
    return errors.Refused(
        f"this cannot be used as a home: {why}", where=str(home.root), hint="another home: --home DIR"
    )


@contextmanager
def opened(home: Home) -> Iterator[tuple[database.Database, store.Store]]:
    """The ledger and the store of a home, closed again at the end."""
    check_format(home)
    if not (home.root / "format").exists():
        hint = "start one: ciranda up   or: ciranda run"
        raise errors.NotFound("there is no home here yet", where=str(home.root), hint=hint)
    ledger_database = database.open(home.ledger_url, home.sockets)
    try:
        yield ledger_database, store.Store(home.store)
    finally:
        ledger_database.close()


def gateway(home: Home) -> str:
    """The gateway's address as people write it, from what `up` wrote. Raises errors.Unreachable when nothing was ever up here."""
    try:
        return str(json.loads((home.state / "server.json").read_text())["gateway"])
    except FileNotFoundError:
        raise errors.Unreachable(
            "no server has run here yet", where=str(home.root), hint="start one: ciranda up"
        ) from None
