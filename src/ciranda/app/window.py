"""The window: Git's proc-receive and post-receive hooks. It records a push as changes and prints their lines; the server works.

`python -I -m ciranda.app.window proc-receive|post-receive`, started by receive-pack inside a repository, with `CIRANDA_HOME`
from the hook and, from the web, `REMOTE_USER` and `CIRANDA_WINDOW` (the file in which the first hook tells the second what
goes on). Only light modules may be imported here.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ciranda.kernel import errors, lines, sockets
from ciranda.versions import pushes, refs, repositories

PUSH_WAIT = 120.0  # seconds that a push waits for its gate
QUIET = 3.0  # seconds without a line after which the window asks itself whether the disk is full
ROOM = 1 << 18  # bytes without which little can be recorded
ASK_TIMEOUT = 30.0  # seconds in which control records a push
DETACH = "detach"
AWAY = "the server does not answer, so nothing was recorded; start it: ciranda up"


@dataclass(frozen=True, slots=True)
class Following:
    """A change whose lines are printed: what control said of it, and how many records were printed so far."""

    lines: str
    seen: int
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """What the lines said of the ref: `status` is "ok", "ng" or "open" (the window closed first)."""

    status: str
    reason: str
    following: Following


def main(arguments: Sequence[str]) -> int:
    """Be the hook that `arguments` names."""
    repository = Path.cwd()
    parent = os.getppid()
    try:
        match list(arguments):
            case ["proc-receive"]:
                return proc_receive(repository, sys.stdin.buffer, sys.stdout.buffer, lambda: os.getppid() != parent)
            case ["post-receive"]:
                return post_receive(lambda: os.getppid() != parent)
    except (BrokenPipeError, KeyboardInterrupt):  # the client went away: the change goes on without its window
        return 1
    except errors.CirandaError as error:
        say(f"{error}")
        return 1
    say("the window is Git's hook: python -I -m ciranda.app.window proc-receive|post-receive")
    return errors.Usage.exit_code


def proc_receive(repository: Path, reader: BinaryIO, writer: BinaryIO, gone: Callable[[], bool]) -> int:
    """Record what was pushed, print the lines until each ref is settled, and report to receive-pack."""
    push = pushes.read_push(reader, writer)
    refused = refusals(push)
    allowed = tuple(update for update in push.updates if update.ref not in refused)
    answers = ask(repository, allowed, push.options) if allowed else {}
    deadline = time.monotonic() + PUSH_WAIT
    detached = DETACH in push.options
    report: list[pushes.Done | pushes.Refused] = []
    goes_on: list[Following] = []
    for update in push.updates:
        answer = answers.get(update.ref, {"state": "refused", "reason": "the server said nothing of it"})
        if update.ref in refused:
            report.append(pushes.Refused(update.ref, refused[update.ref]))
        elif answer["state"] == "done":
            report.append(read_back(repository, update))
        elif answer["state"] == "change":
            change = answer["change"]
            settled = follow_change(change, detached=detached, deadline=deadline, gone=gone)
            report.append(conclude(repository, update, int(change["number"]), settled))
            if settled.status == "ok" and not settled.following.ended:
                goes_on.append(settled.following)
        else:
            for line in answer.get("lines", ()):
                say(str(line))
            report.append(pushes.Refused(update.ref, str(answer.get("reason", "refused"))))
    hand_over(goes_on)
    pushes.write_report(writer, report)
    return 0


def post_receive(gone: Callable[[], bool]) -> int:
    """Go on printing the lines of what was let in, until its delivery ends."""
    for following in handed_over():
        for record in records(following, gone, lambda: False):
            show(record)
            if record.get("ends"):
                break
    return 0


def refusals(push: pushes.Push) -> dict[str, str]:
    """What is refused before control is asked, by ref."""
    reasons = {update.ref: reason for update in push.updates if (reason := refs.refusal(update.ref))}
    if push.atomic and len(push.updates) > 1:
        reasons |= {
            update.ref: "several refs at once cannot be atomic: push them one by one" for update in push.updates
        }
    return reasons


def ask(repository: Path, updates: Sequence[pushes.Update], options: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Let control record the updates; its answer for each ref. A server that is not there refuses them all."""
    user = os.environ.get("REMOTE_USER", "")
    if not user:
        return {
            update.ref: {"state": "refused", "reason": "push to the server's address, not to its folder"}
            for update in updates
        }
    request = {
        "type": "push",
        "repository": repository.name.removesuffix(".git"),
        "user": user,
        "options": list(options),
        "updates": [{"ref": update.ref, "old": update.old, "new": update.new} for update in updates],
    }
    try:
        reply = sockets.ask(sockets.folder(Path(os.environ["CIRANDA_HOME"])) / "control", request, ASK_TIMEOUT)
    except (OSError, errors.Unreachable):
        return {update.ref: {"state": "refused", "reason": AWAY} for update in updates}
    if not reply.get("ok"):
        return {update.ref: {"state": "refused", "reason": str(reply.get("error", "refused"))} for update in updates}
    return {answer["ref"]: answer for answer in reply["updates"]}


def follow_change(change: Mapping[str, Any], *, detached: bool, deadline: float, gone: Callable[[], bool]) -> Settled:
    """Print a change's lines until one settles its ref, or until the window closes: asked to (`-o detach`), or after `wait` seconds."""
    following = Following(str(change["lines"]), 0)
    limit = [deadline if "wait" not in change else time.monotonic() + float(change["wait"])]
    number = change["number"]
    if detached:
        say(f"change {number} is recorded and goes on without this window; see it with: ciranda status")
        return Settled("open", "", following)
    seen, quiet_until = 0, [time.monotonic() + QUIET]

    def late() -> bool:
        if time.monotonic() > quiet_until[0] and not has_room():
            quiet_until[0] = float("inf")  # said once
            say(f"the disk of the server is full: change {number} waits until there is room")
        return time.monotonic() > limit[0]

    for record in records(following, gone, late):
        seen += 1
        quiet_until[0] = time.monotonic() + QUIET
        show(record)
        if "wait" in record:
            limit[0] = time.monotonic() + float(record["wait"])
        if record.get("settles"):
            ended = bool(record.get("ends"))
            return Settled(
                str(record.get("status")), str(record.get("reason", "")), Following(following.lines, seen, ended)
            )
    say(f"change {number} goes on without this window; see it with: ciranda status")
    return Settled("open", "", Following(following.lines, seen))


def has_room() -> bool:
    """Whether the home's disk could take the next fact of a change."""
    found = os.statvfs(os.environ["CIRANDA_HOME"])
    return found.f_blocks == 0 or found.f_bavail * found.f_frsize > ROOM


def conclude(repository: Path, update: pushes.Update, number: int, settled: Settled) -> pushes.Done | pushes.Refused:
    """What receive-pack is told: `ok` for the branch after reading it back; for an open change, the ref that does hold it."""
    match settled.status:
        case "ok":
            return read_back(repository, update)
        case "open":
            landed = f"refs/changes/{number}"
            if repositories.read_ref(repository, landed) != update.new:
                return pushes.Refused(update.ref, f"{landed} does not hold it")
            return pushes.Done(update.ref, landed=landed, old=pushes.NOTHING, new=update.new)
    return pushes.Refused(update.ref, settled.reason or "refused")


def read_back(repository: Path, update: pushes.Update) -> pushes.Done | pushes.Refused:
    """`ok` if the ref is where the client wanted it, or has gone on from there."""
    found = repositories.read_ref(repository, update.ref) or pushes.NOTHING
    if found == update.new:
        return pushes.Done(update.ref)
    if pushes.NOTHING not in (found, update.new) and repositories.is_ancestor(repository, update.new, found):
        return pushes.Done(update.ref)
    return pushes.Refused(
        update.ref, f"the ref is at {found[:7] if found != pushes.NOTHING else 'nothing'}; fetch first"
    )


def records(following: Following, gone: Callable[[], bool], late: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """The records of a change from the first one that was not printed yet, as they come, until the client is gone or it is late."""
    stream = lines.follow(Path(following.lines), stop=lambda: gone() or late(), wait=time.sleep)
    for index, record in enumerate(stream):
        if index >= following.seen:
            yield record


def hand_over(following: Sequence[Following]) -> None:
    """Tell the post-receive hook of the same push what goes on."""
    place = os.environ.get("CIRANDA_WINDOW")
    if place and following:
        with suppress(OSError):  # a full disk costs the lines that would follow, not the push
            Path(place).write_text(json.dumps([[each.lines, each.seen] for each in following]))


def handed_over() -> list[Following]:
    """What the proc-receive hook of the same push left."""
    place = os.environ.get("CIRANDA_WINDOW")
    if not place or not Path(place).exists():
        return []
    try:
        return [Following(path, seen) for path, seen in json.loads(Path(place).read_text())]
    except ValueError:  # half-written on a full disk
        return []


def show(record: Mapping[str, Any]) -> None:
    """Print a record's text, if it has one."""
    for line in str(record.get("text", "")).splitlines():
        say(line)


def say(line: str) -> None:
    """One line to the client; Git puts `remote: ` before it."""
    os.write(2, pushes.plain(line).encode("utf-8", "replace") + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
