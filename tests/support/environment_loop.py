"""The loop of `prod` as a process, for tests that kill it: `python -m support.environment_loop LEDGER SOCKETS HOME`."""

import signal
import sys
from pathlib import Path

from ciranda.environment import memory, observe, reconcile, specs
from ciranda.kernel import database
from ciranda.kernel.store import Store
from ciranda.service import supervisor
from support.service import TOY


def write_tree(commit: str, destination: Path) -> None:
    """A tree whose service says who it is; one whose commit says so is broken."""
    fresh = destination.with_name(f".{destination.name}")
    fresh.mkdir(exist_ok=True)
    program = TOY
    if "dies" in commit:  # the first real request kills it a little later
        program = TOY.replace("do_POST = do_PUT", "do_PUT").replace(
            "do_PUT = do_GET",
            "do_PUT = do_GET\n\n    def do_POST(self):\n        threading.Timer(0.1, os._exit, [3]).start()\n        self.do_GET()\n",
        )
    elif "never" in commit:
        program = f"raise SystemExit('no luck')\n{TOY}"
    (fresh / "toy.py").write_text(program)
    fresh.rename(destination)


def main(ledger: str, sockets: str, home: str) -> None:
    """Run until SIGTERM."""
    opened = database.open(ledger, Path(sockets))
    root = Path(home)
    loops: list[reconcile.Reconciler] = []
    instances = supervisor.Supervisor(root, changed=lambda: [one.wake() for one in loops] and None)
    machine = observe.Machine(
        trees=root / "trees",
        gateway=lambda: "http://127.0.0.1:7780",
        program=lambda digest: specs.Program(Path(sys.executable), (Path(sys.prefix), Path(sys.base_prefix))),
        write_tree=write_tree,
        memory_short=memory.short,
    )
    place = observe.Place("flights", "prod", opened, Store(root / "store"), instances, machine)
    loops.append(reconcile.Reconciler(place, report=lambda line: print(line, file=sys.stderr, flush=True)))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    loops[0].start()
    signal.sigwait({signal.SIGTERM})
    loops[0].stop()
    instances.close()
    opened.close()


if __name__ == "__main__":
    main(*sys.argv[1:4])
