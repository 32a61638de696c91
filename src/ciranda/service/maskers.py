"""The maskers of a keeper: one for each instance that has secrets, between the pipe that it writes to and its log.

The keeper holds the reading end of each pipe, and the instance itself has its end open both ways, so that it can write
whoever has died; a masker that dies is started again on the same pipe. What is full waits: an instance writes no faster than
it is masked. An instance's folder of secrets goes with its masker. Standard library only.
"""

import fcntl
import os
import select
import shutil
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

from ciranda.service.children import Child, Streams
from ciranda.service.family import Family, say

ROLE = "masker"
_SIZE = 1 << 18  # bytes of a pipe, where the system gives as much
_LEAVE = 5.0  # seconds to write what is there
_SUFFIX = ".masker"


class Maskers:
    """The maskers of one family."""

    def __init__(self, family: Family, home: str, again: Callable[[str, float], None]) -> None:
        """`again` is told the name of a masker that is to be started again, and when it was started (µs)."""
        self._family = family
        self._home = home
        self._again = again
        self._pipes: dict[str, int] = {}  # instance → the reading end

    def open(self, instance: str, folder: str, log: str) -> tuple[int, int]:
        """Start the masker of an instance that is to be: the descriptor that it writes to (the caller closes it), and the pipe's
        number. Raises OSError, errors.StorageFull."""
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            with suppress(OSError):
                fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, _SIZE)
            self._pipes[instance] = read
            self._start(instance, folder, log, again=False)
            return os.open(f"/proc/self/fd/{write}", os.O_RDWR | os.O_CLOEXEC), os.fstat(read).st_ino
        except BaseException:
            self.close(instance, folder)
            raise
        finally:
            os.close(write)

    def adopt(self) -> None:
        """Find the pipes of what an earlier keeper started, and start the maskers that died with it."""
        for child in list(self._family.members.values()):
            if child.role != "instance" or "secrets" not in child.note:
                continue
            masked = f"{child.id}{_SUFFIX}" in self._family.members
            if child.exit is None and (read := _pipe(child)) is not None:
                self._pipes[child.id] = read
                if not masked:
                    self.start(f"{child.id}{_SUFFIX}")
            elif not masked:
                self.close(child.id, child.note["secrets"])

    def start(self, name: str) -> None:
        """Start a masker again; one whose instance and pipe are gone is not."""
        child = self._family.members.get(name.removesuffix(_SUFFIX))
        if child is None or child.id not in self._pipes:
            return
        try:
            self._start(child.id, child.note["secrets"], child.log, again=True)
        except OSError as error:
            say(f"{name} does not start: {error}")
            self._again(name, 0.0)

    def left(self, child: Child, *, stopping: bool) -> None:
        """An instance or a masker has exited."""
        instance = child.id.removesuffix(_SUFFIX)
        folder = child.note.get("secrets")
        if folder is None:
            return
        other = self._family.members.get(f"{instance}{_SUFFIX}" if child.role == "instance" else instance)
        if child.role == ROLE and not stopping and not self._drained(instance):
            self._again(child.id, child.started_us)
        elif other is None or other.exit is not None:
            self.close(instance, folder)

    def close(self, instance: str, folder: str) -> None:
        """Nothing is written any more: the pipe and the secrets go."""
        read = self._pipes.pop(instance, None)
        if read is not None:
            os.close(read)
        shutil.rmtree(folder, ignore_errors=True)

    def _start(self, instance: str, folder: str, log: str, *, again: bool) -> None:
        argv = [sys.executable, "-I", "-m", "ciranda.service.masker", folder, *(["again"] if again else [])]
        self._family.spawn(
            f"{instance}{_SUFFIX}",
            ROLE,
            argv,
            env=dict(os.environ),
            cwd=self._home,
            log=log,
            drain=_LEAVE,
            note={"secrets": folder},
            streams=Streams(input=self._pipes[instance]),
        )

    def _drained(self, instance: str) -> bool:
        """Whether nobody writes to the pipe any more and nothing is left in it."""
        read = self._pipes.get(instance)
        if read is None:
            return True
        poll = select.poll()
        poll.register(read, select.POLLIN)
        return [(read, select.POLLHUP)] == poll.poll(0)


def _pipe(child: Child) -> int | None:
    """The reading end of the pipe that an adopted instance writes to; None when it has gone, or writes elsewhere now."""
    try:
        read = os.open(f"/proc/{child.identity.pid}/fd/1", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    found = os.fstat(read)
    if not stat.S_ISFIFO(found.st_mode) or found.st_ino != child.note.get("pipe"):
        os.close(read)
        return None
    os.set_blocking(read, True)
    return read
