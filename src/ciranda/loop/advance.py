"""The loop: moves every unsettled change one step on, from recorded facts alone, so that it may be killed anywhere and goes on."""

import threading
import time

from ciranda.environment import moves, revisions, saved_plans
from ciranda.kernel import clock, errors, failpoints, log, tasks
from ciranda.kernel.database import Database, Transaction
from ciranda.loop import changes, contents, delivering, jobs, pins, refresh, restore, tell, wording
from ciranda.loop.changes import NOTHING, Change
from ciranda.loop.places import Workshop
from ciranda.release import manifest, releases
from ciranda.versions import repositories

CALM, BUSY = 2.0, 0.1  # seconds between looks when nothing, or something, is under way
EVERY = 30.0  # seconds between two looks at what the store may have lost
JOBS = 1.0  # seconds between two looks at which jobs are due, but for the moment when the next one is


class Loop:
    """One thread that advances changes. `stop` returns when the thread has ended."""

    def __init__(self, places: Workshop) -> None:
        self._places = places
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="loop")
        self._waiter = places.database.waiter()
        self._said = ""
        self._jobs = jobs.Sweep(places)
        self._sources = refresh.Sweep(places)
        self._jobs_at = 0.0  # when they are looked at next, as time.monotonic() has it

    def start(self) -> None:
        """Begin to advance changes."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the step under way."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        swept = -EVERY
        while not self._stopping.is_set():
            if time.monotonic() - swept > EVERY:
                restore.sweep(self._places)
                self._sources.look()
                swept = time.monotonic()
            due = self._jobs_due()
            moved, waiting = self.look()
            if not moved:
                self._waiter.wait(min(due, BUSY if waiting else CALM))
        self._waiter.close()

    def _jobs_due(self) -> float:
        """Queue the jobs that are due; returns the seconds until the next look."""
        now = time.monotonic()
        try:
            if now < self._jobs_at:
                self._jobs.learn()
            else:
                self._jobs_at = now + JOBS
                next_us = self._jobs.look()
                if next_us is not None:
                    ahead = max(0.0, (next_us - clock.now_us()) / 1e6)
                    self._jobs_at = min(self._jobs_at, now + ahead)
        except (errors.CirandaError, OSError) as error:
            self._complain(f"jobs: {error}")
        return max(0.0, self._jobs_at - time.monotonic())

    def look(self) -> tuple[bool, bool]:
        """Advance each unsettled change once: whether one moved, and whether one is left."""
        moved = False
        unsettled = changes.unsettled(self._places.database)
        for change in unsettled:
            if self._stopping.is_set():
                break
            try:
                moved |= advance(change, self._places)
            except (errors.CirandaError, OSError) as error:
                self._complain(f"change {change.number} of {change.project}: {error}")
        return moved, not all(self._asks(change) for change in unsettled)

    def _asks(self, change: Change) -> bool:
        """Whether a change waits for people: their approval wakes whoever waits for a commit."""
        if change.state != "delivering" or change.release is None:
            return False
        database = self._places.database
        return saved_plans.asked(database, releases.by_id(database, change.release))

    def _complain(self, text: str) -> None:
        """Say what is wrong, not the same twice in a row."""
        if text != self._said:
            self._said = text
            log.say(text)


def advance(change: Change, places: Workshop) -> bool:
    """One step of one change; True when it moved."""
    match change.state:
        case "recorded":
            return _judge(change, places)
        case "judging":
            return False  # the task moves it on
        case "asking":
            return _ask(change, places)
        case "failed":
            return refuse(change, places, change.reason)
        case "passed":
            return _check_base(change, places)
        case "merging":
            return _merge(change, places)
        case "merged":
            return _release(change, places)
        case "delivering":
            return delivering.advance(change, places)
        case "settled" | "refused":
            return False


def refuse(change: Change, places: Workshop, reason: str) -> bool:
    """Close the gate on a change that was not judged red but cannot land."""
    teller = tell.Teller(places.lines, change.id)
    if not teller.settled():  # before the state, after which nobody looks any more: the window waits for this line
        branch = change.ref.removeprefix("refs/heads/")
        at = "as it was" if change.base == NOTHING else f"at {change.base[:7]}"
        what = "the data stays as it was" if change.kind == "data" else f"{branch} stays {at}"
        teller.settle("ng", [f"{what}: {reason}"], reason=reason)
    return places.database.write(lambda tx: changes.move(tx, change, "refused", reason=reason, event="change.refused"))


def _judge(change: Change, places: Workshop) -> bool:
    def work(tx: Transaction) -> bool:
        tasks.put(tx, kind="judge", subject=change.id, body={})
        return changes.move(tx, change, "judging")

    teller = tell.Teller(places.lines, change.id)
    teller.once("headline", wording.headline(change.project, change.short, change.subject))
    failpoints.failpoint("change.judging")
    return places.database.write(work)


def _ask(change: Change, places: Workshop) -> bool:
    """Say what is left to a person, and how they let it in; a branch that has moved on answers by itself."""
    at = repositories.read_ref(repositories.path(places.repositories, change.repository), change.ref) or NOTHING
    if at not in (change.base, change.head):
        return refuse(change, places, "fetch first")
    question = wording.question(change.reason, change.number, width=change.width)
    tell.Teller(places.lines, change.id).once(f"ask:{change.run}", *question)
    return False


def _check_base(change: Change, places: Workshop) -> bool:
    repository = repositories.path(places.repositories, change.repository)
    at = repositories.read_ref(repository, change.ref) or NOTHING
    if (moved := _moved_on(change, at, places)) is not None:
        return _judge_again(change, at, moved, places)
    if at not in (change.base, change.head):
        return refuse(change, places, "fetch first")
    return places.database.write(lambda tx: changes.move(tx, change, "merging"))


def _merge(change: Change, places: Workshop) -> bool:
    """The branch moves by one compare-and-swap between two facts of the ledger; after a crash the repository decides."""
    repository = repositories.path(places.repositories, change.repository)
    failpoints.failpoint("change.merging")
    at = repositories.read_ref(repository, change.ref) or NOTHING
    if (moved := _moved_on(change, at, places)) is not None:
        return _judge_again(change, at, moved, places)
    swapped = change.kind == "data" or repositories.update_ref(repository, change.ref, change.head, change.base)
    if not swapped and repositories.read_ref(repository, change.ref) != change.head:
        return refuse(change, places, "fetch first")
    failpoints.failpoint("change.moved")

    def work(tx: Transaction) -> bool:
        moved = changes.move(tx, change, "merged", event="change.merged")
        if moved:
            pins.keep(tx, change)
        return moved

    merged = places.database.write(work)
    if merged:
        tell.Teller(places.lines, change.id).settle("ok")
    return merged


def _moved_on(change: Change, at: str, places: Workshop) -> str | None:
    """Why a change that passed must be judged again before it may land; None: what it was judged on still holds.

    New data is judged at one commit, and a push on one state of the data: whichever lands second was judged without the
    other's news, and its release would take that out of production. This thread alone moves branches and pins, so that
    nothing comes between this look and the act that follows it.
    """
    if change.kind == "data":
        branch = change.ref.removeprefix("refs/heads/")
        return None if at == change.head else f"{branch} has moved on to {at[:7]}"
    if at == change.head and change.base != change.head:
        return None  # it has landed
    lost = pins.overtaken(pins.parse(change.outcome.get("pins", {})), pins.current(places.database, change.project))
    return f"new data of {', '.join(lost)} came in meanwhile" if lost else None


def _judge_again(change: Change, at: str, why: str, places: Workshop) -> bool:
    again = places.database.write(lambda tx: changes.judge_again(tx, change, at))
    if again:
        tell.Teller(places.lines, change.id).say(f"  {why}: judged again")
    return again


def _release(change: Change, places: Workshop) -> bool:
    teller = tell.Teller(places.lines, change.id)
    if not teller.settled():  # killed, or out of room, between the fact and the line
        teller.settle("ok")
    repository = repositories.path(places.repositories, change.repository)
    content = contents.of_change(change, repository)

    def work(tx: Transaction) -> releases.Release | None:
        made = releases.make(tx, manifest=content, kept=kept, change=change.id, actor=change.actor)
        for environment in content.environments:
            moves.declare(tx, change.project, environment)
        return made if changes.move(tx, change, "delivering", release=made.id) else None

    with places.store.steady():
        kept = releases.keep(places.store, content)
        failpoints.failpoint("release.kept")
        made = places.database.write(work)
    if made is not None:
        teller.say(wording.line("release", "", made.name, width=change.width))
        for name in _left(change, content, places.database):
            text = "not declared any more: what runs there stays as it is"
            teller.say(wording.line(name, "!", text, width=change.width))
    return made is not None


def _left(change: Change, content: manifest.Manifest, database: Database) -> list[str]:
    """The environments that run something and that the release no longer names."""
    known = [place.name for place in revisions.environments(database, change.project)]
    gone = [name for name in known if name not in content.environments]
    return [name for name in gone if revisions.live(database, change.project, name) is not None]
