"""The lines of a change: what its window prints, and what tells the window that the ref, or the whole change, is settled."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from ciranda.kernel import lines


class Teller:
    """Writes the lines of one change. They are followed by windows, `logs` and the page, and are never the record."""

    def __init__(self, folder: Path, change: str) -> None:
        self.path = folder / f"{change}.jsonl"
        self._lines = lines.Lines(self.path)

    def records(self) -> Iterable[dict[str, Any]]:
        """What was said until now."""
        return lines.follow(self.path, stop=lambda: True, wait=lambda _: None)

    def keys(self) -> set[str]:
        """The keys of what was said before: what must be said once only is said with a key."""
        return {record["key"] for record in self.records() if "key" in record}

    def settled(self) -> bool:
        """Whether the end of the ref was said."""
        return any(record.get("settles") for record in self.records())

    def ended(self) -> bool:
        """Whether the end of all was said."""
        return any(record.get("ends") for record in self.records())

    def say(self, *texts: str, kind: str = "line", **facts: Any) -> None:
        """Append lines for people."""
        for text in texts:
            self._lines.append({"kind": kind, "text": text, **facts})

    def said(self, key: str) -> bool:
        """Whether something was said with this key."""
        return key in self.keys()

    def once(self, key: str, *texts: str) -> None:
        """Append lines for people, unless something was said with this key before."""
        if not self.said(key):
            self.say(*texts, key=key)

    def settle(self, status: Literal["ok", "ng"], texts: Iterable[str] = (), *, reason: str = "") -> None:
        """Say how the ref ended: the window reports it to Git. A refused change ends here."""
        self.say(*texts)
        self._lines.append(
            {"kind": "ref", "text": "", "settles": True, "status": status, "reason": reason, "ends": status == "ng"}
        )

    def end(self, *texts: str) -> None:
        """Say how the delivery ended: the window leaves."""
        self.say(*texts)
        self._lines.append({"kind": "end", "text": "", "ends": True})
