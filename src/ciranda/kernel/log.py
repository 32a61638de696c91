"""The log of a process of ours: its standard error, which leads to a file of the home."""

import os
from contextlib import suppress


def say(text: str) -> None:
    """A line in the log. One that cannot be written, as on a full disk, is lost: nothing else may end for it."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode("utf-8", "backslashreplace"))
