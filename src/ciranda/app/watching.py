"""What control looks at again and again: each watch in a thread of its own, so that one that waits keeps no other."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ciranda.kernel import errors, log


@dataclass(frozen=True, slots=True)
class Watch:
    """`look` is called every `every` seconds, at first after that time. What it raises is said and tried again."""

    name: str
    every: float
    look: Callable[[], None]


class Watches:
    """The threads of the watches. A look must be safe to be killed in, like everything that control does."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._watch, args=(one,), name=f"watch {one.name}", daemon=True) for one in watches
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop after the looks under way."""
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _watch(self, watch: Watch) -> None:
        while not self._stopping.wait(watch.every):
            try:
                watch.look()
            except errors.CirandaError as error:
                log.say(f"{watch.name}: {error}")
