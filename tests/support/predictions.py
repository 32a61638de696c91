"""Spools that a test fills, and a collector of them over a real ledger and a real store."""

import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import collecting
from ciranda.monitor.predictions.segments import Place
from ciranda.runtime import spool

PLACE = Place("flights", "prod", "delays")


def rows(body: bytes) -> list[Any]:
    found = msgspec.json.decode(body)
    return found if isinstance(found, list) else [found]


@dataclass
class Spools:
    """The folder of the spools of one service, and what collects them."""

    root: Path
    database: Database
    store: Store
    kept: Path
    days: int = 30
    place: Place = field(default=PLACE)

    @property
    def folder(self) -> Path:
        made = self.root / self.place.project / self.place.environment / self.place.service
        made.mkdir(parents=True, exist_ok=True)
        return made

    def collector(self) -> collecting.Collector:
        return collecting.Collector(self.root, self.database, self.store, lambda place, release: (self.days, ()))

    def predict(self, asked: list[tuple[str, Any, Any]], release: str = "r1") -> None:
        """A segment with these requests: id, inputs, answer."""
        made = spool.Spool(spool.Settings(self.folder, release=release), rows)
        for request, given, answer in asked:
            made.keep(request.encode(), msgspec.json.encode(given), msgspec.json.encode(answer))
        made.close()

    def tell(self, said: list[dict[str, Any]]) -> None:
        """A segment with feedback."""
        made = spool.Spool(spool.Settings(self.folder, release="r1"), rows)
        heard: list[bool] = []
        made.tell(spool.said(msgspec.json.encode(said)), heard.append)
        made.close()
        assert heard == [True]

    def collect_and_die(self, url: str, sockets: Path, point: str) -> int:
        """Collect in a process that kills itself at a point; how it ended."""
        program = f"""
            from pathlib import Path
            from ciranda.kernel import database, store
            from ciranda.monitor.predictions import collecting
            opened = database.open({url!r}, Path({str(sockets)!r}))
            kept = store.Store(Path({str(self.kept)!r}))
            collecting.Collector(Path({str(self.root)!r}), opened, kept, lambda place, release: (30, ())).look()
            opened.close()
        """
        environment = {**os.environ, "CIRANDA_FAILPOINT": point}
        return subprocess.run([sys.executable, "-c", textwrap.dedent(program)], env=environment, check=False).returncode
