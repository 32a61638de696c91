"""Control: the parts of the process that moves refs and environments, wired; the faces call it, and nothing else does."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

from ciranda.access import tokens
from ciranda.app import (
    alerts,
    applying,
    configuring,
    drifting,
    feedback,
    infra,
    logkeeping,
    people,
    predictions,
    rollouts,
    sampling,
    watching,
)
from ciranda.app import home as homes
from ciranda.app.exports import pushing
from ciranda.app.metrics import Family
from ciranda.app.views import metrics, plan, status
from ciranda.environment import (
    emergencies,
    holds,
    memory,
    moves,
    observe,
    plans,
    reconcile,
    reviewing,
    revisions,
    saved_plans,
    secrets,
    specs,
)
from ciranda.environment.jobs import Run as JobRun
from ciranda.feedback.reactions import answering, reactor
from ciranda.kernel import database, errors, log, store
from ciranda.loop import advance, approvals, changes, jobs, places, receive, recheck, refresh, restore
from ciranda.pipeline import interpreters
from ciranda.release import releases
from ciranda.service import counters, supervisor
from ciranda.versions import repositories, trees

LOOK = 2.0  # seconds between looks for environments that came to be, in case a wake-up was lost


class Control:
    """Everything that runs in the control process. All of its state is in the home: it may be killed at any time."""

    def __init__(self, home: homes.Home) -> None:
        homes.check_format(home)
        self.home = home
        self.database = database.open(home.ledger_url, home.sockets)
        self.store = store.Store(home.store)
        self.people = people.People(self.database)
        self.predictions = predictions.Predictions(home, self.database, self.store)
        self._reconcilers: dict[tuple[str, str], reconcile.Reconciler] = {}
        self._configuring = configuring.Configuring(self.database, self.store, home.root / secrets.FILE)
        self._instances = supervisor.Supervisor(home.root, self._wake, self._configuring.unseal)
        self._loop = advance.Loop(self._workshop())
        self._stopping = threading.Event()
        self.rollouts = rollouts.Rollouts(self.database)
        self.infra = infra.Infra(self._workshop, home.root / secrets.FILE)
        self._waiter = self.database.waiter()
        self._watch = threading.Thread(target=self._find_environments, name="environments")
        self._reactor = reactor.Reactor(self._workshop())
        self.sampling = sampling.Sampling(home, self.database, self._instances.observe)
        self._drifting = drifting.Drifting(
            self.database, self.store, self.predictions.content, self.sampling.store.write
        )
        self.alerts = alerts.Alerts(self.database, self.store, lambda: sampling.of_home(home))
        self.feedback = feedback.Feedback(home, self.database, self.store, self._configuring.unseal)
        self._otlp = pushing.OtlpPush(home, self.metrics)
        self._watches = watching.Watches(self._looks())

    def start(self) -> None:
        """Begin to advance changes and to reconcile environments."""
        self._watch.start()
        self._loop.start()
        self._watches.start()

    def stop(self) -> None:
        """Stop after the acts under way; services go on."""
        self._stopping.set()
        self._waiter.wake()
        self._watches.stop()
        self._otlp.close()
        self.feedback.close()
        self.sampling.close()
        self._loop.stop()
        self._watch.join()
        for reconciler in self._reconcilers.values():
            reconciler.stop()
        self._instances.close()
        self.database.close()

    def user(self, token: str) -> tokens.User | None:
        """Whose token this is."""
        return tokens.find(self.database, token)

    def repository(self, name: str, *, create: bool) -> Path:
        """The bare repository of this name. Raises errors.NotFound, errors.Invalid."""
        folder = repositories.path(self.home.repositories, name)
        if create:
            return repositories.ensure(self.home.repositories, name)
        if not folder.exists():
            raise errors.NotFound(
                f"there is no repository {name}",
                hint=f"push one: git push ciranda main   (in a project whose name is {name})",
            )
        return folder

    def record_push(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What becomes of each ref of a push, as the window asks it."""
        updates = receive.receive(
            receive.parse(request), database=self.database, store=self.store, repositories_folder=self.home.repositories,
            lines=self.home.lines, may=self.people.may,
        )  # fmt: skip
        return {"ok": True, "updates": updates}

    def rollback(
        self, project: str, environment: str, *, to: str | None, actor: str, reason: str, at: str = ""
    ) -> dict[str, Any]:
        """Back to an older release, and hold. `at`: the revision that somebody was shown; errors.Stale where another is there."""

        def work(tx: database.Transaction) -> tuple[revisions.Revision, revisions.Revision]:
            if at:
                revisions.refuse_other(tx, project, environment, at)
            return moves.rollback(tx, project, environment, actor=actor, reason=reason, to=to)

        left, target = self.database.write(work)
        return {"from": self._revision(left), "to": self._revision(target)}

    def hold(self, project: str, environment: str, *, release: bool, reason: str, actor: str) -> dict[str, Any]:
        """Let no new release in, or let them in again (`release`)."""
        if release:
            changed = self.database.write(lambda tx: holds.let_go(tx, project, environment, actor=actor))
        else:
            changed = self.database.write(lambda tx: holds.hold(tx, project, environment, reason=reason, actor=actor))
        return {"project": project, "environment": environment, "held": not release, "changed": changed}

    def scale(self, project: str, environment: str, *, service: str, instances: int, actor: str) -> dict[str, Any]:
        """Another number of instances of one service."""
        made = self.database.write(
            lambda tx: moves.scale(tx, project, environment, service=service, count=instances, actor=actor)
        )
        return {"to": self._revision(made)}

    def job_run(self, project: str, environment: str, job: str, *, actor: str) -> dict[str, Any]:
        """Queue a job of what is live in an environment. Raises errors.NotFound, errors.Refused."""
        return self._queued(jobs.by_hand(self._workshop(), project, environment, job, actor=actor), 0)

    def job_retry(self, project: str, environment: str, job: str, *, actor: str) -> dict[str, Any]:
        """Queue the last run of a job again, which failed. Raises errors.NotFound, errors.Refused."""
        return self._queued(*jobs.retry(self._workshop(), project, environment, job, actor=actor))

    def _queued(self, run: JobRun, offset: int) -> dict[str, Any]:
        """`offset`: where in the file of its lines this try begins."""
        return {
            "id": run.id, "project": run.project, "environment": run.environment, "job": run.job, "state": run.state,
            "attempt": run.attempt, "due_us": run.due_us, "offset": offset,
        }  # fmt: skip

    def refresh(self, project: str, *, actor: str) -> dict[str, Any]:
        """Look at a project's references; what is new becomes a change. Raises errors.NotFound, errors.Refused."""
        return {"project": project, "id": refresh.ask(self._workshop(), project, actor=actor)}

    def lacking(self, digests: Sequence[str]) -> list[str]:
        """Which of these objects the store does not have."""
        return [name for name in digests if not self.store.has(name)]

    def incoming(self) -> AbstractContextManager[store.Incoming]:
        """An object that comes piece by piece. Raises errors.StorageFull."""
        return self.store.incoming()

    def pieces(self, digest: str) -> tuple[int, Iterator[bytes]]:
        """The size and the bytes of an object. Raises errors.NotFound."""
        return self.store.size(digest), self.store.pieces(digest)

    def config(
        self, project: str, environment: str, *, assign: Mapping[str, str], unset: Sequence[str], actor: str
    ) -> dict[str, Any]:
        """Set values of an environment's configuration, and take others back."""
        made = self._configuring.config(project, environment, assign=assign, unset=unset, actor=actor)
        return {"to": None if made is None else self._revision(made)}

    def secret(
        self, project: str, environment: str, *, name: str, value: bytes, declared: bool, actor: str
    ) -> dict[str, Any]:
        """Set a secret of an environment."""
        version, new, made = self._configuring.secret(project, environment, name, value, declared=declared, actor=actor)
        return {"name": name, "version": version, "new": new, "to": None if made is None else self._revision(made)}

    def clone(self, project: str, environment: str, *, to: str, secrets: bool, actor: str) -> dict[str, Any]:
        """Make an environment from what another one runs."""
        live, made = self._configuring.clone(project, environment, to, with_secrets=secrets, actor=actor)
        return {"from": self._revision(live), "to": self._revision(made)}

    def reaction(self, project: str, number: int, *, approve: bool, reason: str, actor: str) -> dict[str, Any]:
        """A person's word on a reaction that asks for it. Raises errors.NotFound, errors.Stale."""
        if approve:
            return self.database.write(lambda tx: answering.approve(tx, project, number, actor=actor)).document()
        return self.database.write(
            lambda tx: answering.decline(tx, project, number, actor=actor, reason=reason)
        ).document()

    def status(self, project: str | None) -> dict[str, Any]:
        """The state of the loop, of one project or of all. Raises errors.NotFound."""
        return status.gather(self.home, self.database, project).document()

    def metrics(self) -> list[Family]:
        """What is told of what runs, and how well."""
        try:
            instances = self._instances.observe()
        except errors.Unreachable:
            instances = []  # the keeper is away: everything else can still be told
        return metrics.gather(self.home, self.database, self.store, instances, self.sampling.latest)

    def plan(self, project: str, environment: str, release: str | None) -> dict[str, Any]:
        """What a release (the newest one when none is named) would change. Raises errors.NotFound."""
        return plan.gather(
            self.database, self.store, project, environment, release, folder=self.home.repositories
        ).document()

    def apply(self, plan: str, *, actor: str) -> dict[str, Any]:
        """Do what a plan says. Raises errors.NotFound, errors.Stale, errors.Refused."""
        saved = saved_plans.find(self.database, plan)
        if saved.release is not None:
            self._refuse_worse(saved.project, saved.release, saved.environment)
        return self._planned(*applying.apply(self.database, self.store, plan, actor=actor))

    def approve(self, plan: str, *, actor: str, note: str = "") -> dict[str, Any]:
        """Approve a plan, or `change/PROJECT/N` that asks a person, or (reviewed) `emergency/PROJECT/prod#17`.

        Raises errors.NotFound, errors.Stale, errors.Refused.
        """
        if plan.startswith(approvals.CHANGE):
            return self._approve_change(plan, actor=actor)
        if plan.startswith(emergencies.PREFIX):
            return self._review(plan, note=note, actor=actor)
        made, new = applying.approve(self.database, self.store, plan, actor=actor)
        by = [one.actor for one in plans.counted(self.database, made)]
        return {
            "plan": made.digest, "project": made.project, "environment": made.environment, "new": new, "by": by,
            "needed": made.needed,
        }  # fmt: skip

    def promote(
        self, project: str, environment: str, *, release: str, actor: str, emergency: str = "", plan: str = ""
    ) -> dict[str, Any]:
        """Make the plan of a release and apply it. `emergency`: why it goes past what keeps it out, but for checks.

        Raises errors.NotFound, errors.Refused, errors.Stale where it is not the plan that was shown.
        """
        reason = emergencies.checked(emergency) if emergency else ""
        self._refuse_worse(project, release, environment)
        made, target = applying.promote(
            self.database, self.store, project, environment, release, actor=actor, emergency=reason, plan=plan
        )
        opened = reason and emergencies.recorded(self.database, target)
        return self._planned(made, target) | ({"emergency": emergencies.document(opened)} if opened else {})

    def destroy(self, project: str, environment: str, *, plan: str, actor: str) -> dict[str, Any]:
        """Take everything out of an environment. Raises errors.NotFound, errors.Stale, errors.Refused."""
        return self._planned(*applying.destroy(self.database, self.store, project, environment, name=plan, actor=actor))

    def _approve_change(self, name: str, *, actor: str) -> dict[str, Any]:
        project, number = approvals.parse(name)
        change = self.database.write(lambda tx: approvals.approve(tx, project, number, actor=actor))
        return {"change": change.number, "project": change.project, "head": change.head, "reason": change.reason}

    def _review(self, name: str, *, note: str, actor: str) -> dict[str, Any]:
        project, place, number = emergencies.parse(name)
        done = self.database.write(lambda tx: reviewing.review(tx, project, place, number, note=note, actor=actor))
        return {"emergency": emergencies.document(done), "project": project, "environment": place}

    def _refuse_worse(self, project: str, release: str, environment: str) -> None:
        """A release does not replace what it was never compared with. Raises errors.NotYet, errors.Refused."""
        places = self._workshop()
        found = releases.get(self.database, project, release)
        recheck.refuse_worse(found, restore.manifest(places, found), environment, places)

    def _planned(self, made: plans.Plan, target: revisions.Revision) -> dict[str, Any]:
        return {"plan": made.digest, "changed": not made.empty, "to": self._revision(target)}

    def _revision(self, revision: revisions.Revision) -> dict[str, Any]:
        release = releases.by_id(self.database, revision.release)
        return {
            "id": revision.id, "project": revision.project, "environment": revision.environment, "number": revision.number,
            "name": revision.name, "release": release.name, "state": revision.state,
            "services": sorted(revision.instances),
        }  # fmt: skip

    def _looks(self) -> list[watching.Watch]:
        """What control does by the clock; a line for each."""
        kept = logkeeping.Logkeeping(self.home)
        return [
            watching.Watch("infra", infra.EVERY, self.infra.look),
            watching.Watch("metrics", sampling.EVERY, self.sampling.look),
            watching.Watch("alerts", alerts.EVERY, self.alerts.look),
            watching.Watch("feedback", 1.0, self.feedback.look),
            watching.Watch("reactions", 2.0, self._reactor.look),
            watching.Watch("predictions", predictions.EVERY, self.predictions.look),
            watching.Watch("drift", drifting.EVERY, self._drifting.look),
            watching.Watch("logs", logkeeping.EVERY, kept.look),
            watching.Watch("old logs", logkeeping.TIDY, kept.tidy),
            watching.Watch("otlp", pushing.EVERY, self._otlp.look),
            watching.Watch("dogstatsd", pushing.EVERY, pushing.DogstatsdPush(self.home, self.metrics).look),
        ]

    def _workshop(self) -> places.Workshop:
        home = self.home
        return places.Workshop(
            database=self.database, store=self.store, repositories=home.repositories, lines=home.lines,
            interpreters=home.interpreters, runs=home.runs, trees=home.trees, home=home.root,
            gateway=lambda: homes.gateway(home),
        )  # fmt: skip

    def _find_environments(self) -> None:
        while not self._stopping.is_set():
            for environment in revisions.environments(self.database):
                key = (environment.project, environment.name)
                if key not in self._reconcilers:
                    self._reconcilers[key] = self._reconciler(*key)
                    self._reconcilers[key].start()
            self._waiter.wait(LOOK)
        self._waiter.close()

    def _reconciler(self, project: str, environment: str) -> reconcile.Reconciler:
        machine = observe.Machine(
            trees=self.home.trees,
            gateway=lambda: homes.gateway(self.home),
            program=self._program,
            write_tree=partial(self._write_tree, project),
            memory_short=memory.short,
            counters=partial(counters.read, self.home.state / "counters"),
            predictions=self.home.predictions,
        )
        place = observe.Place(project, environment, self.database, self.store, self._instances, machine)
        return reconcile.Reconciler(place, report=log.say)

    def _program(self, interpreter: str) -> specs.Program:
        """The interpreter that a release was judged with. Raises errors.NotFound."""
        found = interpreters.find(interpreter, self.home.interpreters)
        if found is None:
            raise errors.NotFound(
                "the interpreter of this release is gone", where=interpreter, hint="push its commit again"
            )
        return specs.Program(found, interpreters.folders(found))

    def _write_tree(self, project: str, commit: str, destination: Path) -> None:
        known = changes.project(self.database, project)
        if known is None:
            raise errors.NotFound(f"there is no project {project}", hint="what there is: ciranda status")
        trees.write(repositories.path(self.home.repositories, known.repository), commit, destination, store=self.store)

    def _wake(self) -> None:
        """An instance's health has changed: every environment looks now."""
        for reconciler in list(self._reconcilers.values()):
            reconciler.wake()
