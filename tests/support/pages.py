"""Pages over a ledger that was filled by hand: a project with changes, runs, releases and two environments, as if it had been busy."""

import json
import random
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars

from ciranda.access import sessions, tokens
from ciranda.app import home as homes
from ciranda.app.views.pages import traffic
from ciranda.checks import gate, verdicts
from ciranda.environment import jobs, moves, outputs, revisions
from ciranda.feedback import incidents, items
from ciranda.kernel import clock, database, digest
from ciranda.kernel.database import Database, Transaction
from ciranda.kernel.lines import Lines
from ciranda.kernel.store import Store
from ciranda.loop import changes
from ciranda.monitor.alerts import rows as alert_rows
from ciranda.monitor.alerts.states import Act, Alert
from ciranda.monitor.drift import count
from ciranda.monitor.windows import looking, references
from ciranda.monitor.windows.references import Reference
from ciranda.pipeline import codec, records
from ciranda.release import manifest, releases
from ciranda.service import counters, port, table
from ciranda.web import application, local, serving
from ciranda.web.pages import handlers, site
from ciranda.web.port import Rooms
from support.git import FakeControl
from support.predictions import PLACE, Spools

SECOND = 1_000_000
PROJECT = "flights"
HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">'
PATHS = [
    "/", "/flights", "/flights/changes", "/flights/changes/5", "/flights/changes/6", "/flights/runs", "/flights/runs/5",
    "/flights/runs/4", "/flights/runs/5/log", "/flights/releases", "/flights/releases/r4", "/flights/diff/r1/r4",
    "/flights/environments/test", "/flights/environments/prod", "/flights/services/delays?environment=prod", "/flights/jobs",
    "/flights/jobs/nightly", "/-/users", "/-/audit", "/flights/incidents", "/flights/incidents/1", "/flights/delivery",
    "/flights/alerts", "/flights/environments/prod/drift", "/flights/services/delays/metrics?environment=prod",
]  # fmt: skip
GRAPH = {
    "raw_flights": (), "raw_weather": (), "flights": ("raw_flights", "raw_weather"), "daily": ("flights",),
    "features": ("flights", "raw_weather"), "delay": ("features",), "scores": ("delay", "daily"),
}  # fmt: skip
KINDS = {"raw_flights": "source", "raw_weather": "source", "delay": "model", "scores": "step"}


def version(asset: str, number: int) -> records.Version:
    """A version of an asset that only its number tells from others."""
    figures = {"auc": 0.7 + number % 40 / 1000} if asset == "delay" else {}
    name = digest.of("object", [asset, number])
    kind: Any = KINDS.get(asset, "dataset")
    rows = None if asset == "delay" else 336_776 + number
    return records.Version(
        asset, name, digest.of("key", [asset, number]), "parquet", 31_000_000, kind, rows, 24, figures
    )


def content(number: int) -> manifest.Manifest:
    """The manifest of a release."""
    made = {name: version(name, number) for name in GRAPH}
    place = manifest.Environment(None, {"LOG_LEVEL": "debug"}, ("pytest -q tests/smoke",), 300.0)
    return manifest.Manifest(
        project=PROJECT,
        commit=commit(number),
        tree=digest.of("object", number)[3:43],
        interpreter=digest.of("interpreter", 1),
        parameters={"delay": {"depth": 6 + number % 3}},
        assets={name: manifest.Asset(one.digest, one.key, one.codec, one.kind) for name, one in made.items()},
        services={"delays": manifest.Service("predict", "service:predict", ("delay",), 2, "/", 30.0, 60.0)},
        settings={"LOG_LEVEL": manifest.Setting("str", "info")},
        environments={"test": place, "prod": manifest.Environment("test", {}, (), 300.0)},
        policy=digest.of("code", "policy"),
    )


def commit(number: int) -> str:
    """The commit of a change."""
    return digest.of("object", ["commit", number])[3:43]


def add_run(tx: Transaction, number: int, *, failed: bool = False, at_us: int, steps: bool = True) -> str:
    """A run with its steps and outcomes."""
    run = clock.uuid7()
    states = {name: "unchanged" if at < 3 else "ran" for at, name in enumerate(GRAPH)}
    if failed:
        states |= {"delay": "failed", "scores": "skipped"}
    told = list(states.values())
    summary = {"seconds": 7.4, "problem": None, "steps": {state: told.count(state) for state in dict.fromkeys(told)}}
    summary |= {"checks": {"passed": 6, "warned": 1}} | (
        {"unmade": {"delay": ["features"], "scores": ["delay"]}} if failed else {}
    )
    tx.execute(
        """INSERT INTO run (id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter,
            confined, process, steps_of, summary)
        VALUES (:id, :project, :number, :commit, 0, :cause, 'ana', 'protected', :state, :at_us, :at_us, 'b3:0', 1, NULL, NULL, :summary)""",
        id=run, project=PROJECT, number=number, commit=commit(number), cause=f"change {number}",
        state="failed" if failed else "finished", at_us=at_us, summary=codec.text(summary),
    )  # fmt: skip
    if steps:
        for position, (name, state) in enumerate(states.items()):
            made = version(name, number) if state in ("unchanged", "ran") else None
            error = (
                'Traceback (most recent call last):\n  File "pipeline.py", line 3\nValueError: <b>no</b>'
                if state == "failed"
                else None
            )
            tx.execute(
                """INSERT INTO run_step (run, position, step, state, key, digest, seconds, version, error)
                VALUES (:run, :position, :step, :state, :key, :digest, :seconds, :version, :error)""",
                run=run, position=position, step=name, state=state, key=made and made.key, digest=made and made.digest,
                seconds=0.0 if state == "unchanged" else 1.2, version=made and codec.version_text(made), error=error,
            )  # fmt: skip
            if made is not None:
                parts = {"inputs": {other: [version(other, number).digest, "parquet"] for other in GRAPH[name]}}
                tx.execute(
                    """INSERT INTO result (key, trust, project, asset, version, parts, seconds, run, made_us)
                    VALUES (:key, 'protected', :project, :asset, :version, :parts, 1.2, :run, :at_us) ON CONFLICT DO NOTHING""",
                    key=made.key, project=PROJECT, asset=name, version=codec.version_text(made), parts=codec.text(parts),
                    run=run, at_us=at_us,
                )  # fmt: skip
        outcome = records.Outcome(
            "flown_once", "flights", not failed, "fail", False, 0.3, 54_008 if failed else 0, 363_780
        )
        tx.execute(
            "INSERT INTO run_outcome (run, position, check_name, key, body) VALUES (:run, 0, 'flown_once', NULL, :body)",
            run=run, body=codec.outcome_text(outcome),
        )  # fmt: skip
    return run


@dataclass
class Filled:
    """A home whose ledger was filled, and its parts, open."""

    home: homes.Home
    database: Database
    store: Store
    token: str

    def push(self, number: int, subject: str) -> changes.Change:
        """A change as a push records it, with its first line."""
        made = self.database.write(
            lambda tx: changes.record(
                tx, number=number, repository=PROJECT, project=PROJECT, ref="refs/heads/main", base=commit(number - 1),
                head=commit(number), subject=subject, actor="ana", accepts=False,
            )
        )  # fmt: skip
        self.say(made, f"{PROJECT} {made.short}  {subject}")
        return made

    def say(self, change: changes.Change, text: str) -> None:
        """One more line of a change."""
        Lines(self.home.lines / f"{change.id}.jsonl").append({"kind": "line", "text": text})

    def land(self, number: int, subject: str) -> releases.Release:
        """A change that went all the way: judged, merged, released, delivered."""
        change = self.push(number, subject)
        wanted = content(number)
        kept = releases.keep(self.store, wanted)
        evidence = self.store.put(
            digest.canonical({"count": 3, "of": 336_776, "columns": ["id", "day"], "rows": [["a", None], ["b", 2]]})
        )
        for line in (
            "  code     ✓ 14 tests                                          1.9 s",
            "  flights  ✓ 336,776 rows, 6 checks",
        ):
            self.say(change, line)
        told = [
            gate.Verdict("pytest -q", "code", "pass", True, "base", "14 tests", seconds=1.9),
            gate.Verdict("flown_once", "flights", "pass", True, "base", seconds=0.3),
            gate.Verdict("weather_complete", "flights", "warn", False, "change", "", 3, 336_776, evidence=evidence),
        ]

        def work(tx: Transaction) -> releases.Release:
            run = add_run(tx, number, at_us=clock.now_us())
            verdicts.keep(tx, change.id, told)
            made = releases.make(tx, manifest=wanted, kept=kept, change=change.id, actor="ana")
            outcome = {"assets": {name: asdict(version(name, number)) for name in GRAPH}}
            changes.move(tx, change, "settled", run=run, release=made.id, outcome=outcome)
            for place in wanted.environments:
                target = moves.target(tx, environment=place, release=made, content=wanted, actor="ana")
                moves.mark_routed(tx, target, clock.now_us())
                moves.end(tx, target, "reached", actor="ciranda")
                releases.state(
                    tx,
                    made,
                    kind="verification",
                    body={"revision": target.id, "tests": 5, "commands": 1},
                    actor="ciranda",
                )
            return made

        return self.database.write(work)

    def refuse(self, number: int, subject: str, reason: str) -> None:
        """A change that the gate refused, with the rows that were wrong."""
        change = self.push(number, subject)
        rows = [[f"2013-01-01-UA-{at}-EWR", "2013-01-01", "EWR", 2] for at in range(10)]
        evidence = self.store.put(
            digest.canonical(
                {"count": 54_008, "of": 363_780, "columns": ["id", "day", "origin", HOSTILE], "rows": rows}
            )
        )
        self.say(change, f"  flights  ✗ {reason}")
        told = [gate.Verdict("flown_once", "flights", "fail", True, "base", "", 54_008, 363_780, evidence=evidence)]

        def work(tx: Transaction) -> None:
            run = add_run(tx, number, failed=True, at_us=clock.now_us())
            verdicts.keep(tx, change.id, told)
            changes.move(tx, change, "refused", reason=reason, run=run)

        self.database.write(work)

    def hold(self, name: str, reason: str) -> None:
        """Hold an environment."""
        self.database.write(
            lambda tx: tx.execute(
                "UPDATE environment SET held = 1, held_reason = :reason, held_by = 'bea', held_us = 1 WHERE name = :name",
                name=name, reason=reason,
            )
        )  # fmt: skip

    def route(self, release: str, instances: int = 2) -> list[str]:
        """Route both environments to a release; the ids of its instances."""
        ids = {place: [f"{place}-delays-{release}-{at}" for at in range(instances)] for place in ("test", "prod")}
        routes = tuple(
            port.Route(PROJECT, place, "delays", (port.Target(release, 100, {one: f"unix:/s/{one}" for one in named}),))
            for place, named in ids.items()
        )
        table.save(self.home.state / "routes.json", table.Table(1, routes))
        return [one for named in ids.values() for one in named]

    def link(self) -> str:
        """The code of a link that signs in."""
        return self.database.write(lambda tx: sessions.invite(tx, "admin"))


@contextmanager
def filled(root: Path, *, url: str | None = None) -> Iterator[Filled]:
    """A home with an empty ledger, to be filled."""
    home = homes.Home(root)
    homes.create(home, url)
    opened = database.open(home.ledger_url, home.sockets)
    try:
        tokens.first_token(opened, home.token)
        opened.write(lambda tx: changes.claim_project(tx, PROJECT, PROJECT, "refs/heads/main"))
        yield Filled(home, opened, Store(home.store), home.token.read_text().strip())
    finally:
        opened.close()
        shutil.rmtree(home.sockets, ignore_errors=True)


NIGHTLY = manifest.Job(("scores",), "0 5 * * * America/Sao_Paulo", "07:00", ("prod",), 1, 3600.0, "@data")


def busy(into: Filled, *, drifts: bool = True) -> None:
    """What a project of a few days has: releases, a refused change, a hostile subject, a change at the gate, a held environment."""
    for number, subject in enumerate(("Begin", "Add weather features", HOSTILE, "Train deeper trees"), start=1):
        into.land(number, subject)
    into.refuse(5, "Load the new files", "flights: flown_once failed on 54,008 rows")
    into.push(6, "Score the night's flights")
    into.hold("test", "the fair is on")
    into.database.write(_nightly)
    into.database.write(_incident)
    into.database.write(_alerts)
    if drifts:
        _drift(into)
    run = next(iter(into.database.query("SELECT id FROM run WHERE number = 5")))["id"]
    log = into.home.runs / run / "log.jsonl"
    log.parent.mkdir(parents=True)
    for text in ("epoch 1 loss 0.4", HOSTILE):
        Lines(log).append({"at_us": clock.now_us(), "step": "delay", "text": text})


def _incident(tx: Transaction) -> None:
    """One that was reviewed, with what was planned, and one that is open."""
    began_us = clock.now_us() - 600 * SECOND
    made = incidents.open_by_hand(tx, PROJECT, "prod", HOSTILE, actor="ana", service="delays", started_us=began_us)
    incidents.note(tx, PROJECT, made.number, HOSTILE, actor="bo")
    incidents.resolve(tx, PROJECT, made.number, "", actor="ana")
    items.add(tx, PROJECT, HOSTILE, actor="ana", owner="@data", incident=made.id)
    incidents.keep_review(tx, PROJECT, made.number, f"# Review\n{HOSTILE}\n", actor="ana")
    incidents.open_by_hand(tx, PROJECT, "prod", "answers are late", actor="ana", severity="ticket")


def _alerts(tx: Transaction) -> None:
    """One that fires and is looked after, one that is over, and a silence."""
    now_us = clock.now_us()
    for rule, over_us in (("errors", None), ("late", now_us)):
        state: Any = "firing" if over_us is None else "resolved"
        made = Alert(
            clock.uuid7(), PROJECT, "prod", rule, "delays", "", "r4", "errors", state, "page", "@data", "", 0.4, HOSTILE,
            now_us - 900 * SECOND, now_us, fired_us=now_us - 600 * SECOND, told_us=now_us, resolved_us=over_us,
        )  # fmt: skip
        alert_rows.write(tx, [Act(made)])
    alert_rows.acknowledge(tx, PROJECT, "errors", actor="bo", note=HOSTILE)
    alert_rows.silence(
        tx, PROJECT, environment="prod", rule="late", service="", seconds=3600, reason=HOSTILE, actor="bo"
    )


def _drift(into: Filled) -> None:
    """A service whose wind blows harder than in what it was trained on."""
    chance = random.Random(1)

    def rows(many: int, later: float) -> list[dict[str, Any]]:
        return [{"wind": chance.gauss(10 + later, 3), "carrier": chance.choice(["AA", HOSTILE])} for _ in range(many)]

    kept = references.put(into.store, count.of_frame(polars.DataFrame(rows(2000, 0))))
    made = Reference(PROJECT, "", "delays", "r4", references.TRAINING, "history", kept, 2000, 0, clock.now_us())
    into.database.write(lambda tx: references.keep(tx, made))
    spools = Spools(into.home.predictions, into.database, into.store, into.home.store)
    spools.predict([("a", rows(600, 9.0), [1.5] * 600)], "r4")
    spools.tell([{"request_id": "a", "truth": 3.5}])
    spools.collector().look()
    assert looking.look(into.database, into.store, PLACE, "r4") is not None


def _nightly(tx: Transaction) -> None:
    """A job in production that failed yesterday and passed the day before."""
    place = next(one for one in jobs.places(tx) if one.environment == "prod")
    jobs.learn(tx, place, {"nightly": NIGHTLY})
    known = next(one for one in jobs.known(tx, PROJECT, "prod"))
    for days, state in ((2, "passed"), (1, "failed")):
        due_us, name = clock.now_us() - days * 86_400 * SECOND, clock.uuid7()
        jobs.insert(tx, known, run=name, due_us=due_us, cause="schedule", actor="", task=name)
        waiting = jobs.get(tx, name)
        assert waiting is not None
        jobs.begin(tx, waiting, task=name, release=place.release, revision=place.revision)
        run = tx.one("SELECT id FROM run WHERE number = :number", number=5 - days)
        assert run is not None
        begun = jobs.get(tx, name)
        assert begun is not None
        jobs.end(
            tx,
            begun,
            "passed" if state == "passed" else "failed",
            reason="" if state == "passed" else HOSTILE,
            of=run["id"],
        )
        if state == "passed":
            outputs.keep(tx, begun, version("scores", 3))


def many(into: Filled, *, runs: int, changed: int, released: int) -> None:
    """So many rows of each, beside what a busy project has."""

    def work(tx: Transaction) -> None:
        now_us = clock.now_us() - runs * SECOND
        for number in range(1, changed + 1):
            tx.execute(
                """INSERT INTO change (id, number, repository, project, ref, base, head, subject, actor, accepts, state, reason, run,
                    outcome, release, recorded_us, ended_us)
                VALUES (:id, :number, :project, :project, 'refs/heads/main', :base, :head, :subject, 'ana', 0, 'settled', '', NULL, '{}',
                    NULL, :at_us, :at_us)""",
                id=clock.uuid7(), number=number, project=PROJECT, base=commit(number - 1), head=commit(number),
                subject=f"Change {number} of many", at_us=now_us + number * SECOND,
            )  # fmt: skip
        for number in range(1, runs + 1):
            add_run(tx, number, at_us=now_us + number * SECOND, steps=number > runs - 20, failed=number % 50 == 0)

    into.database.write(work)
    if released:
        kept = [(content(number), releases.keep(into.store, content(number))) for number in range(1, released + 1)]

        def release(tx: Transaction) -> None:
            for wanted, stored in kept:
                made = releases.make(tx, manifest=wanted, kept=stored, change=None, actor="ana")
                for place in wanted.environments:
                    target = moves.target(tx, environment=place, release=made, content=wanted, actor="ana")
                    moves.mark_routed(tx, target, clock.now_us())
                    moves.end(tx, target, "reached", actor="ciranda")

        into.database.write(release)


@dataclass
class Shown:
    """Pages that are served."""

    filled: Filled
    port: int
    traffic: traffic.Traffic
    counters: counters.Counters
    control: FakeControl

    def acts(self) -> list[tuple[Any, ...]]:
        """What the forms did."""
        return self.control.acts

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(self, release: str, count: int, *, status: int = 200, milliseconds: int = 8) -> None:
        """So many answers of a release in production, and a look at them."""
        slot = self.counters.slot(f"/{PROJECT}/prod/delays", release, ())
        for at in range(count):
            self.counters.count(slot, status, milliseconds * 1000 + at % 7 * 500)
        self.traffic.look()


@contextmanager
def shown(into: Filled) -> Iterator[Shown]:
    """The real web with its pages over a filled home, in a thread; a keeper that says that the routed instances live."""
    home = into.home
    names = into.route(f"r{_newest(into)}") if _newest(into) else []
    children = [{"id": one, "exit": None} for one in names]
    kept = local.LocalServer(home.sockets / "keeper", {"list": lambda _request: {"ok": True, "children": children}})
    rooms = Rooms()
    counted = counters.Counters(home.state / "counters")
    seen = traffic.Traffic(home.state / "counters")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = listener.getsockname()[1]
        told = {"url": f"http://127.0.0.1:{number}", "gateway": "http://127.0.0.1:7780"}
        (home.state / "server.json").write_text(json.dumps(told))
        pages = handlers.Pages(site.Site(home, into.database, into.store, seen), rooms, port=number)
        control = FakeControl(home)
        app = application.build(
            control, rooms, port=number, lines=home.lines, windows=home.state / "windows", pages=pages
        )
        server = serving.server(app, rooms.leave, pages.hub.leave)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Shown(into, number, seen, counted, control)
        finally:
            server.should_exit = True
            thread.join()
            pages.hub.close()
            seen.stop()
            counted.close()
            kept.close()
            rooms.close()


def _newest(into: Filled) -> int:
    newest = releases.latest(into.database, PROJECT)
    return newest.number if newest else 0


def live(into: Filled, environment: str) -> revisions.Revision | None:
    """What an environment runs."""
    return revisions.live(into.database, PROJECT, environment)
