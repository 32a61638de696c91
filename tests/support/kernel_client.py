"""A client of store, ledger, lines and files, to be killed: it says on its standard output what was acknowledged to it.

python kernel_client.py HOME LEDGER FIRST COUNT
"""

import json
import os
import sys
from pathlib import Path

from ciranda.access import tokens
from ciranda.kernel import database, events, files, lines, migrations, sockets, store


def main(home: Path, url: str, first: int, count: int) -> None:
    objects = store.Store(home / "store")
    ledger = database.open(url, sockets.folder(home))
    migrations.migrate(ledger, ["ciranda.kernel", "ciranda.access"])
    tokens.first_token(ledger, home / "token")
    for number in range(first, first + count):
        write(home, objects, ledger, number)
    ledger.close()


def write(home: Path, objects: store.Store, ledger: database.Database, number: int) -> None:
    """Objects, then the event that names them, then a line and a file: the order of writes that survives a crash."""
    source = home / "sources" / str(number)
    source.mkdir(parents=True, exist_ok=True)
    (source / "small").write_bytes(b"small %d" % number)
    (source / "large").write_bytes(b"%d" % number * store.INLINE)
    with objects.batch():
        names = [
            objects.put(b"object %d" % number),
            objects.put(b"large %d" % number * store.INLINE),
            objects.put_file(source),
            objects.put_file(source / "large", move=True),
        ]
    seq = ledger.write(
        lambda tx: events.append(
            tx, chain="crash", kind="written", subject=str(number), actor="client", body={"names": names}
        )
    )
    say({"seq": seq, "names": names})
    lines.Lines(home / "lines.jsonl").append({"number": number})
    say({"line": number})
    files.write_atomic(home / "state.json", json.dumps({"number": number, "fill": "x" * 10_000}).encode())
    say({"state": number})
    if not (home / "out" / str(number)).exists():
        objects.export(names[2], home / "out" / str(number))
    say({"export": number})


def say(fact: dict[str, object]) -> None:
    os.write(1, json.dumps(fact).encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
