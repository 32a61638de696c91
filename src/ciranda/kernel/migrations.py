"""Tables made and changed by numbered scripts, `<package>/migrations/0001.sql` and so on, forwards only."""

from collections.abc import Sequence
from pathlib import Path

from ciranda.kernel import clock, digest, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.failpoints import failpoint

_TABLE = """
CREATE TABLE IF NOT EXISTS migration (
    room TEXT NOT NULL,
    number BIGINT NOT NULL,
    digest TEXT NOT NULL,  -- of the script, so that a script that was changed after it ran is found
    at_us BIGINT NOT NULL,
    PRIMARY KEY (room, number)
)
"""


def migrate(database: Database, rooms: Sequence[str]) -> None:
    """Apply what is missing of each package's scripts, in order, each in its own transaction; safe to be killed in.

    Raises errors.Stale if a script that was applied has changed, or the tables are newer than these scripts.
    """
    for room in rooms:
        scripts = sorted((statements.folder(room) / "migrations").glob("[0-9][0-9][0-9][0-9].sql"))
        for number, path in enumerate(scripts, start=1):
            if int(path.stem) != number:
                raise errors.Invalid(f"migrations are numbered without gaps: expected {number:04}.sql", where=str(path))
            database.write(lambda tx, room=room, number=number, path=path: _apply(tx, room, number, path))  # type: ignore[misc]
            failpoint("migrations.applied")
        if database.one(
            "SELECT number FROM migration WHERE room = :room AND number > :last", room=room, last=len(scripts)
        ):
            raise errors.Stale(
                f"the tables of {room} were made by a newer Ciranda",
                hint="use that version, or another home: --home DIR",
            )


def pending(database: Database, rooms: Sequence[str]) -> list[str]:
    """The scripts that were not applied, as `pipeline 0002`; nothing is changed. Raises what the database raises without tables."""
    done = {(row["room"], int(row["number"])) for row in database.query("SELECT room, number FROM migration")}
    return [
        f"{room.rpartition('.')[2]} {path.stem}"
        for room in rooms
        for path in sorted((statements.folder(room) / "migrations").glob("[0-9][0-9][0-9][0-9].sql"))
        if (room, int(path.stem)) not in done
    ]


def _apply(tx: Transaction, room: str, number: int, path: Path) -> None:
    tx.execute(_TABLE)
    text = path.read_text()
    done = tx.one("SELECT digest FROM migration WHERE room = :room AND number = :number", room=room, number=number)
    script = digest.digest("migration", text.encode())
    if done is None:
        for statement in statements.split(text):
            tx.execute(statement)
        tx.execute(
            "INSERT INTO migration (room, number, digest, at_us) VALUES (:room, :number, :script, :now)",
            room=room,
            number=number,
            script=script,
            now=clock.now_us(),
        )
    elif done["digest"] != script:
        raise errors.Stale(
            f"{path.name} of {room} has changed since it was applied to this ledger",
            where=str(path),
            hint="use the Ciranda that made it, or another home: --home DIR",
        )
