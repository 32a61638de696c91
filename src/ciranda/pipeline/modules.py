"""Normalised project files: made by the project's own interpreter, kept by digest, so that nothing is parsed twice."""

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ciranda.kernel import digest, errors, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.pipeline import codec, snapshot
from ciranda.pipeline.fingerprint import Module, Piece

sql = statements.load("ciranda.pipeline")
_SCRIPT = Path(__file__).with_name("normalise.py")
_TIMEOUT = 120.0  # seconds for all files of a project


def read(
    database: Database, interpreter: Path, python: str, tree: Path, files: Iterable[tuple[str, str]]
) -> dict[str, Module]:
    """The modules of (path in the tree, digest) pairs; `python` is the interpreter's minor version.

    Files that are not known yet are read from `tree` and given to one fresh `python -I`. Raises errors.Refused if that
    fails, snapshot.Moved if a file is not the one of that digest any more.
    """
    pairs = dict(files)
    found: dict[str, Module] = {}
    for path, name in pairs.items():
        row = database.one(sql.module, digest=name, python=python)
        if row is not None:
            found[path] = _module(name, json.loads(row["pieces"]))
    missing = {path: name for path, name in pairs.items() if path not in found}
    if missing:
        told = _normalise(interpreter, {path: _bytes(tree / path, name) for path, name in missing.items()})
        pieces = {path: _digested(told[path]) for path in missing}

        def keep(tx: Transaction) -> None:
            for path, name in missing.items():
                tx.execute(sql.keep_module, digest=name, python=python, pieces=codec.text(pieces[path]))

        database.submit(keep)
        found |= {path: _module(name, pieces[path]) for path, name in missing.items()}
    return found


def kept(database: Database, name: str, python: str) -> Module | None:
    """A module that was normalised before, by its digest."""
    row = database.one(sql.module, digest=name, python=python)
    return _module(name, json.loads(row["pieces"])) if row else None


def _bytes(path: Path, name: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise snapshot.Moved(str(path)) from error
    if digest.digest("object", data) != name:
        raise snapshot.Moved(str(path))
    return data


def _normalise(interpreter: Path, texts: dict[str, bytes]) -> dict[str, Any]:
    asked = json.dumps({path: data.decode("latin-1") for path, data in texts.items()})
    try:
        done = subprocess.run(
            [str(interpreter), "-I", str(_SCRIPT)],
            input=asked,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise errors.Refused(
            f"the project's interpreter could not read its files: {error}", where=str(interpreter)
        ) from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise errors.Refused(f"the project's interpreter could not read its files: {last}", where=str(interpreter))
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _digested(pieces: list[list[Any]] | None) -> list[list[Any]] | None:
    """Pieces with digests in the place of texts."""
    if pieces is None:
        return None
    return [
        [kind, name, line, digest.of("code", text), digest.of("code", shell), names]
        for kind, name, line, text, shell, names in pieces
    ]


def _module(name: str, pieces: list[list[Any]] | None) -> Module:
    if pieces is None:
        return Module(name, None)
    return Module(
        name,
        tuple(
            Piece(kind, title, line, text, shell, frozenset(names)) for kind, title, line, text, shell, names in pieces
        ),
    )
