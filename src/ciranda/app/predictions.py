"""Predictions of one home, as control looks after them: collected from the spools, put together, let go when their time is over."""

import time
from dataclasses import dataclass, field

from ciranda.app import home as homes
from ciranda.kernel import clock, errors
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.monitor.predictions import batches, collecting, compacting
from ciranda.monitor.predictions.segments import Place
from ciranda.monitor.windows import looking
from ciranda.project.predictions import Predictions as Declared
from ciranda.release import manifest, releases

EVERY = 1.0  # seconds between looks at the spools
TIDY = 600.0  # seconds between looks for what can be put together or let go


@dataclass
class Predictions:
    """Over one home. Nothing is remembered that is not in it."""

    home: homes.Home
    database: Database
    store: Store
    _contents: dict[tuple[str, str], manifest.Manifest | None] = field(default_factory=dict)
    _tidied: float | None = None

    def __post_init__(self) -> None:
        self._collector = collecting.Collector(self.home.predictions, self.database, self.store, self.terms)

    def look(self) -> None:
        """Collect what is complete. Raises errors.CirandaError; the next look goes on."""
        try:
            self._collector.look()
        except OSError as error:
            said = error.strerror or str(error)
            raise errors.Refused(f"what was predicted cannot be read: {said}", where=error.filename or "") from None
        now = time.monotonic()
        if self._tidied is None or now - self._tidied > TIDY:
            batches.expire(self.database, clock.now_us())
            compacting.compact(self.database, self.store, merged=lambda run: looking.merged(self.store, run))
            self._tidied = now

    def terms(self, place: Place, release: str) -> tuple[int, tuple[str, ...]]:
        """For how many days a release has its predictions kept, and which columns it redacts."""
        content = self.content(place.project, release)
        service = None if content is None else content.services.get(place.service)
        declared = Declared() if service is None or service.predictions is None else service.predictions
        return declared.keep, declared.redact

    def content(self, project: str, release: str) -> manifest.Manifest | None:
        """The manifest of a release by its name; None where there is none."""
        known = (project, release)
        if known not in self._contents:
            try:
                found = releases.manifest(self.store, releases.get(self.database, project, release))
            except (errors.NotFound, errors.Corrupt):
                return None
            self._contents[known] = found
        return self._contents[known]
