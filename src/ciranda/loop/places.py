"""What the loop and its tasks work with, handed in as plain values."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ciranda.kernel.database import Database
from ciranda.kernel.store import Store


@dataclass(frozen=True, slots=True)
class Workshop:
    """The ledger, the store and the folders of a home; `home` is what confined processes may not see."""

    database: Database
    store: Store
    repositories: Path
    lines: Path
    interpreters: Path
    runs: Path
    trees: Path
    home: Path
    gateway: Callable[[], str]  # the gateway's address, as people write it
