"""Do what was decided: each act is safe to repeat, and recorded so that a killed control finds its way again."""

from collections.abc import Callable

from ciranda.environment import materialise, moves, observed, revisions
from ciranda.environment.observe import Memory, Place, content
from ciranda.environment.rollout import rows
from ciranda.environment.rollout.progress import BeginRollout, KeepRollout, Progress
from ciranda.kernel import clock, errors, events, files, lease, statements, tasks
from ciranda.kernel.database import Transaction
from ciranda.kernel.failpoints import failpoint
from ciranda.service import port

sql = statements.load("ciranda.environment")
ACTOR = "ciranda"


def act(action: observed.Action, place: Place, memory: Memory, held: lease.Lease) -> None:
    """Do one thing. Raises errors.Fenced when another control holds the environment's lease, errors.Unreachable."""
    match action:
        case observed.Prepare(revision):
            _prepare(place, memory, held, revision)
        case observed.Start(spec, digest):
            if digest not in memory.specifications:
                _write(place, held, lambda tx: _keep(tx, spec.service, spec.release, digest, place))
                memory.specifications[digest] = (spec.service, spec.release)
            try:
                place.instances.start(spec)
            except (errors.Refused, errors.Corrupt) as error:  # it counts as a crash: tried again later, and given up
                gone = _refused(spec, digest, error.message)
                _write(place, held, lambda tx: _record_exit(tx, place, gone))
            failpoint("reconcile.started")
        case observed.Stop(instance):
            if not action.again:
                _write(place, held, lambda tx: _ask_to_end(tx, action))
            place.instances.stop(instance)
        case observed.Forget(instance):
            place.instances.forget(instance)
            _write(place, held, lambda tx: tx.execute(sql.drop_ending, instance=instance))
        case observed.RecordExit():
            _write(place, held, lambda tx: _record_exit(tx, place, action))
            place.instances.forget(action.instance)
        case observed.SetRoutes(routes):
            place.instances.route(place.project, place.environment, list(routes))
            failpoint("reconcile.routed")
        case observed.MarkRouted(revision):
            _write(place, held, lambda tx: moves.mark_routed(tx, revision, clock.now_us()))
            failpoint("reconcile.marked")
        case BeginRollout(revision, first):
            _write(place, held, lambda tx: _begin_rollout(tx, place, revision, first))
            failpoint("rollout.kept")
        case KeepRollout():
            _write(place, held, lambda tx: rows.keep(tx, action, actor=ACTOR))
            if action.fact:
                failpoint("rollout.kept")
        case observed.PutVerify(revision):
            _write(place, held, lambda tx: _put_verify(tx, revision))
        case observed.MarkReached(revision):
            _end(place, held, revision, lambda tx, wanted: moves.end(tx, wanted, "reached", actor=ACTOR))
        case observed.MarkFailed(revision, reason):
            _end(
                place,
                held,
                revision,
                lambda tx, wanted: moves.end(tx, wanted, "failed", reason=reason, actor=ACTOR),
            )


def describe(action: observed.Action) -> str | None:
    """One line for the log; None for what only keeps the books."""
    match action:
        case observed.Prepare(_):
            return "write tree and assets"
        case observed.Start(spec):
            return f"start {spec.service} {spec.release}"
        case observed.Stop(instance, why=why, again=False):
            return f"stop {instance}: {why}"
        case observed.RecordExit(instance, exit=how):
            return f"{instance} is gone: {how}"
        case observed.SetRoutes(routes, why):
            to = ", ".join(
                f"{route.service} {target.release} ({len(target.instances)}{_share(target, route)})"
                for route in routes
                for target in route.targets
            )
            return f"route {why}: {to or 'nothing'}"
        case BeginRollout(_, first):
            return f"a rollout of {', '.join(first.services)} begins"
        case KeepRollout(_, _, after, weight, fact) if fact:
            return f"rollout {fact}, {weight} %{f': {after.reason}' if after.reason else ''}"
        case observed.PutVerify(_):
            return "verify"
        case observed.MarkReached(_):
            return "reached"
        case observed.MarkFailed(_, reason):
            return f"failed: {reason}"
        case _:
            return None


def _share(target: port.Target, route: port.Route) -> str:
    return f", {target.weight} %" if len(route.targets) > 1 else ""


def _begin_rollout(tx: Transaction, place: Place, revision: str, first: Progress) -> None:
    target = revisions.by_id(tx, revision)
    live = revisions.live(tx, place.project, place.environment)
    if live is not None and target.state == "target":
        rows.begin(tx, target, live.release, first, actor=ACTOR)


def _write(place: Place, held: lease.Lease, work: Callable[[Transaction], object]) -> None:
    def fenced(tx: Transaction) -> None:
        lease.check(tx, held)
        work(tx)

    place.database.write(fenced)


def _end(
    place: Place, held: lease.Lease, revision: str, work: Callable[[Transaction, revisions.Revision], object]
) -> None:
    _write(place, held, lambda tx: work(tx, revisions.by_id(tx, revision)))
    failpoint("reconcile.marked")


def _prepare(place: Place, memory: Memory, held: lease.Lease, revision: str) -> None:
    wanted = revisions.by_id(place.database, revision)
    try:
        _, manifest = content(place, memory, wanted.release)
        with files.room(place.machine.trees):
            materialise.prepare(manifest, place.ground, store=place.store, write_tree=place.machine.write_tree)
    except (errors.Refused, errors.Corrupt) as error:
        if wanted.state == "target":
            message = error.message
            _end(place, held, revision, lambda tx, one: moves.end(tx, one, "failed", reason=message, actor=ACTOR))
        raise
    failpoint("reconcile.prepared")


def _keep(tx: Transaction, service: str, release: str, digest: str, place: Place) -> None:
    tx.execute(
        sql.keep_specification, digest=digest, project=place.project, environment=place.environment, service=service,
        release=release, created_us=clock.now_us(),
    )  # fmt: skip


def _record_exit(tx: Transaction, place: Place, gone: observed.RecordExit) -> None:
    new = tx.execute(
        sql.record_exit, instance=gone.instance, spec=gone.spec, started_us=gone.started_us, exit=gone.exit,
        at_us=clock.now_us(),
    )  # fmt: skip
    if new:
        body = {"environment": place.environment, "service": gone.service, "release": gone.release, "exit": gone.exit}
        events.append(tx, chain=place.project, kind="instance.exited", subject=gone.instance, actor=ACTOR, body=body)


def _refused(spec: port.InstanceSpec, digest: str, reason: str) -> observed.RecordExit:
    return observed.RecordExit(
        f"refused-{clock.uuid7()}", digest, spec.service, spec.release, clock.now_us(), f"it cannot start: {reason}"
    )


def _ask_to_end(tx: Transaction, asked: observed.Stop) -> None:
    tx.execute(
        sql.ask_to_end, instance=asked.instance, spec=asked.spec, started_us=asked.started_us, at_us=clock.now_us()
    )


def _put_verify(tx: Transaction, revision: str) -> None:
    task = tasks.put(tx, kind="verify", subject=revision, body={})
    moves.mark_verifying(tx, revision, task)
