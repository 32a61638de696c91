"""The tree of errors that a user can do something about.

    CirandaError
    ├ Refused          1   what was asked for is not allowed, or not possible as things are
    │ ├ NotFound           what was named does not exist
    │ ├ Stale              what it was decided on has changed since
    │ ├ Fenced             somebody else has taken over
    │ ├ NotYet             designed, but not built yet
    │ └ Invalid            what was given cannot be read or makes no sense
    ├ Corrupt          1   stored bytes are not what was stored
    ├ StorageFull      1   a disk has no room, or cannot be written
    ├ Unreachable      1   a process or a server does not answer
    └ Usage           64   a command line that cannot be understood

Anything else that is raised is a bug, and is shown as one.
"""


class CirandaError(Exception):
    """Something that Ciranda was asked for could not be done."""

    exit_code = 1

    def __init__(self, message: str | None = None, *, where: str = "", hint: str = "") -> None:
        """`message`: what happened (left out: the docstring); `where`: file, line, object; `hint`: the next command."""
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0].rstrip("."))
        self.where = where
        self.hint = hint

    @property
    def message(self) -> str:
        return str(self)


class Refused(CirandaError):
    """That is refused."""


class NotFound(Refused):
    """There is nothing of that name."""


class Stale(Refused):
    """What this was decided on has changed since."""


class Fenced(Refused):
    """Somebody else has taken this over."""


class NotYet(Refused):
    """That is designed, but not built yet."""


class Invalid(Refused):
    """That makes no sense here."""


class Corrupt(CirandaError):
    """What is stored is not what was stored."""


class StorageFull(CirandaError):
    """There is no room left on the disk."""


class Unreachable(CirandaError):
    """Nothing answers there."""


class Usage(CirandaError):
    """That command cannot be understood."""

    exit_code = 64
