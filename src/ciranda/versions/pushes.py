"""Git's proc-receive protocol, version 1, over two byte streams.

Source: git's githooks(5) "proc-receive" and gitprotocol-common(5) "pkt-line format". A packet is four hexadecimal digits, the
length with themselves, then the data; `0000` is a flush.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO

from ciranda.kernel import errors

NOTHING = "0" * 40  # Git's name for a ref that does not exist
LARGEST = 65516  # bytes of data in a packet
LONGEST_REASON = 500  # characters of a reject line
_OID_LENGTHS = (40, 64)


@dataclass(frozen=True, slots=True)
class Update:
    """One ref that a client wants to move from `old` to `new`; 40 zeros stand for a ref that does not exist."""

    ref: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Push:
    """Everything that one push asks for. `atomic`: all of its updates or none."""

    updates: tuple[Update, ...]
    options: tuple[str, ...] = ()
    atomic: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The update was made. `landed` is the ref that was written, if it is not the one that was pushed; `old`, `new`: its two ends."""

    ref: str
    landed: str | None = None
    old: str | None = None
    new: str | None = None
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The update was not made; the client prints the reason in its reject line."""

    ref: str
    reason: str


def read_packet(stream: BinaryIO) -> bytes | None:
    """One packet's data, or None for a flush. Raises `errors.Invalid` for what is no packet and for an early end."""
    head = _exactly(stream, 4)
    try:
        length = int(head, 16)
    except ValueError:
        raise errors.Invalid(f"Git sent {head!r} where the length of a packet belongs") from None
    if length == 0:
        return None
    if length < 4:
        raise errors.Invalid(f"Git sent a packet of the impossible length {length}")
    return _exactly(stream, length - 4)


def write_packet(stream: BinaryIO, data: bytes | None) -> None:
    """Write one packet; None is a flush."""
    if data is None:
        stream.write(b"0000")
        return
    if len(data) > LARGEST:
        raise errors.Invalid(f"a packet holds at most {LARGEST} bytes, not {len(data)}")
    stream.write(b"%04x" % (len(data) + 4) + data)


def read_push(reader: BinaryIO, writer: BinaryIO) -> Push:
    """Agree on version 1 with receive-pack, then read its commands and push options. Raises `errors.Invalid`."""
    version, _, offered = (b"".join(_section(reader))).partition(b"\0")
    if version.strip() != b"version=1":
        raise errors.Invalid(
            f"Git speaks {version.decode(errors='replace').strip()!r} to its proc-receive hook, not version=1"
        )
    features = set(offered.decode("ascii", "replace").split())
    wanted = sorted(features & {"push-options", "atomic"})
    write_packet(writer, b"version=1\0" + " ".join(wanted).encode())
    write_packet(writer, None)
    writer.flush()
    updates = tuple(parse_update(line) for line in _section(reader))
    options = tuple(text(line) for line in _section(reader)) if "push-options" in features else ()
    return Push(updates, options, "atomic" in features)


def write_push(writer: BinaryIO, push: Push) -> None:
    """What receive-pack sends: the other end of `read_push`, for a peer that plays it."""
    features = ["push-options"] if push.options else []
    features += ["atomic"] if push.atomic else []
    write_packet(writer, b"version=1\0" + " ".join(features).encode())
    write_packet(writer, None)
    for update in push.updates:
        write_packet(writer, f"{update.old} {update.new} ".encode() + update.ref.encode("utf-8", "surrogateescape"))
    write_packet(writer, None)
    if push.options:
        for option in push.options:
            write_packet(writer, option.encode("utf-8", "surrogateescape"))
        write_packet(writer, None)


def parse_update(line: bytes) -> Update:
    """`old new ref`, as receive-pack sends it to proc-receive and to post-receive."""
    parts = text(line.rstrip(b"\n")).split(" ", 2)
    if len(parts) != 3 or not all(_is_oid(oid) for oid in parts[:2]) or not parts[2]:
        raise errors.Invalid(f"Git sent {line!r} where an update of a ref belongs")
    return Update(ref=parts[2], old=parts[0], new=parts[1])


def write_report(writer: BinaryIO, report: Iterable[Done | Refused]) -> None:
    """Tell receive-pack what became of each update."""
    for outcome in report:
        for line in report_lines(outcome):
            write_packet(writer, line)
    write_packet(writer, None)
    writer.flush()


def report_lines(outcome: Done | Refused) -> list[bytes]:
    """The packets that report one update."""
    ref = outcome.ref.encode("utf-8", "surrogateescape")
    match outcome:
        case Refused(reason=reason):
            return [b"ng " + ref + b" " + (plain(reason).strip()[:LONGEST_REASON] or "refused").encode()]
        case Done(landed=landed, old=old, new=new, forced=forced):
            facts = {b"refname": landed, b"old-oid": old, b"new-oid": new}
            lines = [b"option " + name + b" " + value.encode() for name, value in facts.items() if value]
            return [b"ok " + ref, *lines, *([b"option forced-update"] if forced else [])]


def read_report(reader: BinaryIO) -> list[Done | Refused]:
    """What receive-pack understands from a report: the other end of `write_report`."""
    report: list[Done | Refused] = []
    for line in _section(reader):
        word, _, rest = text(line).partition(" ")
        last = report[-1] if report else None
        match word:
            case "ok":
                report.append(Done(rest))
            case "ng":
                ref, _, reason = rest.partition(" ")
                report.append(Refused(ref, reason))
            case "option" if isinstance(last, Done):
                report[-1] = _with_option(last, rest)
            case _:
                raise errors.Invalid(f"{line!r} is no line of a proc-receive report")
    return report


def plain(line: str) -> str:
    """A line that cannot move a terminal's cursor or hide its own words: tabs become spaces, control and format characters are left out."""
    return "".join(character for character in line.replace("\t", " ") if character.isprintable())


def text(data: bytes) -> str:
    """Bytes of Git as text; what is not UTF-8 survives the way back."""
    return data.decode("utf-8", "surrogateescape")


def _with_option(done: Done, option: str) -> Done:
    name, _, value = option.partition(" ")
    match name:
        case "refname":
            return Done(done.ref, value, done.old, done.new, done.forced)
        case "old-oid":
            return Done(done.ref, done.landed, value, done.new, done.forced)
        case "new-oid":
            return Done(done.ref, done.landed, done.old, value, done.forced)
        case "forced-update":
            return Done(done.ref, done.landed, done.old, done.new, True)
    raise errors.Invalid(f"{option!r} is no option of a proc-receive report")


def _section(reader: BinaryIO) -> list[bytes]:
    packets = []
    while (packet := read_packet(reader)) is not None:
        packets.append(packet)
    return packets


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = stream.read(size - len(data))
        if not more:
            raise errors.Invalid("Git stopped in the middle of a packet")
        data += more
    return data


def _is_oid(word: str) -> bool:
    return len(word) in _OID_LENGTHS and all(character in "0123456789abcdef" for character in word)
