"""References lent to workers: files as links, URLs as downloads, each checked against its pin before a step reads and after.

What is read between the two looks cannot be anything else: a file whose size, times and inode are the same before and after, and
were old enough to tell, was not written to; any other is read again.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from ciranda.kernel import errors, files, outbound
from ciranda.pipeline import references
from ciranda.pipeline.records import Version
from ciranda.pipeline.references import Entry, Marks, Moved


class Lender:
    """What one run has lent, by the digest of the version."""

    def __init__(self, entries: Callable[[str], list[Entry]], marks: Marks, reach: outbound.Reach, home: Path) -> None:
        """`entries` gives what a version's digest lists."""
        self._entries, self._marks, self._reach, self._home = entries, marks, reach, home
        self._seen: dict[str, dict[str, str]] = {}  # version → place → mark at which its bytes were those of the pin

    def lend(self, version: Version, target: Path) -> None:
        """Make a folder with the reference's files, each under its name.

        Raises Moved, errors.NotFound or errors.Corrupt for a listing that the store lost, errors.StorageFull.
        """
        if version.digest not in self._seen:
            listed = self._entries(version.digest)
            target.mkdir(parents=True, exist_ok=True)
            seen: dict[str, str] = {}
            for entry in listed:
                path = target / entry.name
                path.parent.mkdir(parents=True, exist_ok=True)
                if entry.remote:
                    self._download(version.asset, entry, path)
                else:
                    seen[entry.place] = self._same(version.asset, entry)
                    path.unlink(missing_ok=True)
                    os.symlink(os.path.realpath(entry.place), path)
            self._marks.keep()
            self._seen[version.digest] = seen
        else:
            self.check([version])

    def check(self, versions: Iterable[Version]) -> None:
        """Whether what was lent is still what it was. Raises Moved."""
        for version in versions:
            seen = self._seen.get(version.digest)
            if version.codec != references.CODEC or not seen:
                continue
            for entry in self._entries(version.digest):
                if entry.place in seen:
                    seen[entry.place] = self._same(version.asset, entry)
            self._marks.keep()

    def _same(self, asset: str, entry: Entry) -> str:
        """The mark of a file that holds what its pin says."""
        try:
            references.allow(entry.place, self._home)
            mark, found, _ = references.digest_of(entry.place, self._marks)
        except errors.Stale:
            raise Moved(asset, entry.place, entry.pin, "is being written") from None
        except errors.Refused as error:
            raise Moved(asset, entry.place, entry.pin, str(error)) from error
        if found != entry.pin:
            raise Moved(asset, entry.place, entry.pin, f"is {references.short(found)}")
        return mark

    def _download(self, asset: str, entry: Entry, path: Path) -> None:
        try:
            with outbound.get(entry.place, self._reach) as answer:
                references.check_answer(answer, entry.place)
                said = references.validator(answer)
                by_digest = entry.pin.startswith("b3:")
                if not by_digest and said != entry.pin:
                    raise Moved(asset, entry.place, entry.pin, f"is {said or 'without one'}")
                with files.room(path.parent), open(path, "wb") as copy:
                    found, size = references.drain(answer, entry.place, copy)
        except errors.Unreachable as error:
            raise Moved(asset, entry.place, entry.pin, str(error)) from error
        if by_digest and found != entry.pin:
            raise Moved(asset, entry.place, entry.pin, f"is {references.short(found)}")
        if entry.size is not None and size != entry.size:
            raise Moved(asset, entry.place, entry.pin, f"has {size:,} bytes, not {entry.size:,}")
