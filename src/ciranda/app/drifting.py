"""Drift of one home, as control looks for it: references are had made, windows looked at, what is found recorded and sampled."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial

from ciranda.environment import outputs, revisions
from ciranda.kernel import clock, errors, log, statements
from ciranda.kernel.database import Database
from ciranda.kernel.store import Store
from ciranda.loop import drifting
from ciranda.monitor.predictions import batches, reading
from ciranda.monitor.predictions.segments import Place
from ciranda.monitor.series.samples import Sample
from ciranda.monitor.windows import episodes, looking, references
from ciranda.release import manifest, releases

EVERY = 2.0  # seconds between looks
PAUSE = 20.0  # seconds between two looks at a service that little was added to
ENOUGH = 200  # new rows that are worth a look before that
FIGURED = 100_000  # predictions, the newest ones, of which figures are sampled
MEASURED_US = 3_600_000_000  # over which the figures of what was predicted are sampled

Content = Callable[[str, str], "manifest.Manifest | None"]
Write = Callable[[Iterable[Sample]], None]

sql = statements.load("ciranda.monitor.windows")


@dataclass
class Drifting:
    """Over one home. What it remembers only spares looks."""

    database: Database
    store: Store
    content: Content
    write: Write
    _seen: dict[tuple[Place, str], tuple[int, int, float]] = field(default_factory=dict)  # made_us, rows, when
    _asked: set[tuple[str, ...]] = field(default_factory=set)
    _said: dict[str, str] = field(default_factory=dict)

    def look(self) -> None:
        """Look at what is new. What goes wrong with one service is said, once, and keeps no other from being looked at."""
        now_us = clock.now_us()
        for one in revisions.environments(self.database):
            self._guarded(f"{one.project}/{one.name}", partial(self._ask, one.project, one.name))
        for place in batches.places(self.database, now_us - batches.DAY_US):
            self._guarded(f"{place.project}/{place.environment}/{place.service}", partial(self._service, place))

    def _guarded(self, what: str, act: Callable[[], None]) -> None:
        try:
            act()
            self._said.pop(what, None)
        except errors.CirandaError as error:
            if self._said.get(what) != str(error):
                self._said[what] = str(error)
                log.say(f"drift of {what}: {error}")

    def _ask(self, project: str, environment: str) -> None:
        """Have made what an environment needs and has not: references of what is live, looks at what jobs made."""
        live = revisions.live(self.database, project, environment)
        if live is None or live.gone:
            return
        release = releases.by_id(self.database, live.release).name
        content = self.content(project, release)
        for name, service in content.services.items() if content is not None else ():
            if service.predictions is not None and not self._known(project, "", name, release):
                self.database.write(partial(drifting.ask, project=project, release=release, service=name))
        for asset, output in outputs.current(self.database, project, environment).items():
            known = (project, environment, asset, release, str(output.at_us))
            if output.version.codec == "parquet" and known not in self._asked:
                self._asked.add(known)
                subject = episodes.of_asset(asset)
                there = self.database.query(sql.looks, project=project, environment=environment, subject=subject)
                if not any(row["from_us"] == output.at_us and row["release"] == release for row in there):
                    act = partial(drifting.ask_output, project=project, environment=environment, asset=asset)
                    self.database.write(act)

    def _known(self, project: str, environment: str, subject: str, release: str) -> bool:
        known = (project, subject, release)
        if known not in self._asked and any(
            one.kind in (references.TRAINING, references.NONE)
            for one in references.of(self.database, project, environment, subject, release)
        ):
            self._asked.add(known)
        return known in self._asked

    def _service(self, place: Place) -> None:
        live = revisions.live(self.database, place.project, place.environment)
        if live is None or live.gone:
            return
        release = releases.by_id(self.database, live.release).name
        newest = self.database.one(sql.newest_batch, **asdict(place), release=release)
        assert newest is not None
        made_us, rows = int(newest["made_us"]), int(newest["row_count"])
        before_us, before, when = self._seen.get((place, release), (0, 0, 0.0))
        now = time.monotonic()
        if made_us == before_us or (abs(rows - before) < ENOUGH and when and now - when < PAUSE):
            return
        found = looking.look(self.database, self.store, place, release)
        if found is not None and not found.waits:
            self._seen[place, release] = (made_us, rows, now)
            self.write([*self._drift(place, found), *self._figures(place)])

    def _drift(self, place: Place, found: looking.Looked) -> Iterator[Sample]:
        """How many columns drift, and by how much each of those that are compared differs."""
        now_us = clock.now_us()
        labels = {"project": place.project, "environment": place.environment, "service": place.service}
        labels["release"] = found.release
        there = episodes.opened(self.database, place.project, place.environment, place.service)
        yield Sample("drift", labels, now_us, float(len(there)))
        told: set[str] = set()
        for look in found.looks:
            for column in look.comparison.columns:
                if column.measures and column.name not in told:
                    told.add(column.name)
                    most = max(column.measures, key=lambda one: one.value / one.least)
                    yield Sample("drift_effect", {**labels, "column": column.name}, now_us, most.value / most.least)

    def _figures(self, place: Place) -> Iterator[Sample]:
        """How good the predictions of the last hour were, where somebody said what was true."""
        now_us = clock.now_us()
        since_us = now_us - MEASURED_US
        if not batches.of_service(self.database, place, batches.FEEDBACK, since_us):
            return
        said = reading.feedback(self.database, self.store, place, since_us)
        table = reading.rows(self.database, self.store, place, since_us, most=FIGURED)
        for one in reading.measured(table, said):
            labels = {"project": place.project, "environment": place.environment, "service": place.service}
            for name, value in one.figures.told().items():
                yield Sample(f"model_live_{name}", {**labels, "release": one.release}, now_us, value)
