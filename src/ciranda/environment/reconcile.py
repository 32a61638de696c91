"""Make an environment what its revision says: observe, decide, act, again and again, in one thread and under one lease."""

import threading
import time
from collections.abc import Callable

from ciranda.environment import act, decide, observe
from ciranda.kernel import errors, lease
from ciranda.kernel.failpoints import failpoint

LEASE = 60.0  # seconds; whoever starts later as the same holder takes it over at once
BUSY = 0.1  # seconds between looks while something moves
WATCHING = 0.03  # while a target was routed just now
ROLLING = 0.25  # while a release has a share of the requests
CALM = 0.5
BETWEEN = 0.02  # at least, between looks, however often it is woken
HOLDER = "control"


class Reconciler:
    """The loop of one environment. It may be killed anywhere; what it does next depends only on what it then sees."""

    def __init__(self, place: observe.Place, *, report: Callable[[str], None], holder: str = HOLDER) -> None:
        """`report` gets one line for each act and each error."""
        self._place = place
        self._report = report
        self._holder = holder
        self._name = f"environment {place.project}/{place.environment}"
        self._memory = observe.Memory()
        self._lease: lease.Lease | None = None
        self._due = 0.0
        self._said = ""
        self._waiter = place.database.waiter()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._name)

    def start(self) -> None:
        """Begin, in a thread of its own."""
        self._thread.start()

    def wake(self) -> None:
        """Look now: something may have changed. Any thread may call it."""
        self._waiter.wake()

    def stop(self) -> None:
        """End after the act under way; instances and routes stay as they are."""
        self._stopping.set()
        self._waiter.wake()
        if self._thread.ident is not None:
            self._thread.join()
        self._waiter.close()

    def once(self, held: lease.Lease) -> float:
        """One round: observe, decide, act. Returns the seconds until the next look. Raises errors.CirandaError."""
        seen = observe.observe(self._place, self._memory)
        failpoint("reconcile.observed")
        decision = decide.decide(seen)
        for action in decision.actions:
            if self._stopping.is_set():
                return 0.0
            line = act.describe(action)
            if line is not None:
                self._report(f"{self._name}: {line}")
            act.act(action, self._place, self._memory, held)
        if decision.actions:
            return 0.0
        if decision.settled:
            return CALM
        return WATCHING if decision.watching else ROLLING if decision.rolling else BUSY

    def _run(self) -> None:
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                held = self._hold()
                pause = CALM if held is None else self.once(held)
                self._said = ""
            except errors.Fenced:
                self._lease = None
                self._complain("another control has taken over")
                self._stopping.wait(LEASE)
                pause = 0.0
            except errors.CirandaError as error:
                self._complain(f"{error.message} ({error.where})" if error.where else error.message)
                self._stopping.wait(BUSY)
                pause = CALM
            except OSError as error:  # a disk or a socket of this machine: it may work again
                self._complain(str(error))
                self._stopping.wait(BUSY)
                pause = CALM
            self._stopping.wait(max(0.0, BETWEEN - (time.monotonic() - began)))
            self._waiter.wait(pause)
        self._let_go()

    def _hold(self) -> lease.Lease | None:
        """The lease, renewed at half of its time. Raises errors.Fenced when it was lost."""
        if self._lease is None:
            self._lease = lease.acquire(self._place.database, self._name, self._holder, LEASE)
            self._due = time.monotonic() + LEASE / 2
        elif time.monotonic() >= self._due:
            if not lease.renew(self._place.database, self._lease, LEASE):
                raise errors.Fenced
            self._due = time.monotonic() + LEASE / 2
        return self._lease

    def _let_go(self) -> None:
        if self._lease is None:
            return
        try:
            lease.release(self._place.database, self._lease)
        except errors.CirandaError as error:
            self._complain(error.message)

    def _complain(self, message: str) -> None:
        """Say what is wrong, once until something works again."""
        if message != self._said:
            self._said = message
            self._report(f"{self._name}: {message}")
