"""What a service predicted, and what is said of it later, written to segments that control collects.

A segment is a file `<µs>-<hex>.seg` of frames, each four bytes length, four bytes CRC-32, and a MessagePack list whose first item is its
kind. Whoever writes one holds its flock; one that can be locked is complete, or its writer is dead: then a torn last frame is ignored.
Answers never wait for any of this: what there is no room for is dropped and counted. Feedback is acknowledged when it is on the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import struct
import sys
import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Optional, Union

import msgspec

from ciranda.runtime import predict

PREDICTION, FEEDBACK, DROPPED, BEGIN = 0, 1, 2, 3
FORMAT = "ciranda.spool/1"
SEGMENT = 4 << 20  # bytes after which a segment is closed
AGE = 2.0  # seconds after which it is closed too, so that it can be collected
WAITING = 8 << 20  # bytes that may wait to be written
LARGEST = 1 << 20  # bytes of one request with its answer that are still kept
FOLDER = 256 << 20  # bytes of segments that nobody has collected
FLUSH = 0.1  # seconds for which records are gathered before they are written
CHUNK = 64  # records that are encoded at a time: between two of them the loop has the interpreter
RETRY = 1.0  # seconds after which what could not be written is tried again
SALT = "salt"  # the file with the key of the digests of redacted values
_FRAME = struct.Struct(">II")
_DIGITS = 12  # of the digest that stands for a redacted value


@dataclass(frozen=True)
class Settings:
    """What CIRANDA_PREDICTIONS says: where segments go, which share of the requests, which columns are never written in plain."""

    folder: Path
    sample: float = 1.0
    redact: frozenset[str] = frozenset()
    models: Mapping[str, str] = field(default_factory=dict)  # name → digest
    release: str = ""


def settings(variables: Mapping[str, str]) -> Optional[Settings]:
    """The settings of this instance; None: its service keeps no predictions."""
    told = variables.get("CIRANDA_PREDICTIONS")
    if not told:
        return None
    found = json.loads(told)
    return Settings(
        Path(found["folder"]),
        float(found["sample"]),
        frozenset(found["redact"]),
        dict(found["models"]),
        variables.get("CIRANDA_RELEASE", ""),
    )


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """What somebody says of one prediction: what was true, or how good it was."""

    request_id: str
    row: int = 0
    truth: Union[bool, int, float, str, None] = None
    rating: Optional[float] = None


_ONE, _MANY = msgspec.json.Decoder(Said), msgspec.json.Decoder(list[Said])
MOST_SAID = 10_000  # in one request
LONGEST_ID = 200  # characters
LONGEST_TRUTH = 500  # characters


def said(body: bytes) -> list[Said]:
    """The feedback in a body, one object or an array. Raises predict.Rejected: 400 for what is not JSON, 422 naming row and field."""
    many = _many(body)
    try:
        found = _MANY.decode(body) if many else [_ONE.decode(body)]
    except msgspec.ValidationError as error:
        raise predict.Rejected(422, **predict.invalid(str(error))) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise predict.Rejected(400, error=f"the body is not JSON: {error}") from error
    if len(found) > MOST_SAID:
        raise predict.Rejected(422, error=f"at most {MOST_SAID:,} in one request", row=MOST_SAID, field="")
    for row, one in enumerate(found):
        field, wrong = _wrong(one)
        if wrong:
            raise predict.Rejected(422, error=wrong, row=row, field=field)
    return found


def _wrong(one: Said) -> tuple[str, str]:
    """Which field of a piece of feedback makes no sense, and why; two empty texts where all do."""
    if not 0 < len(one.request_id) <= LONGEST_ID:
        return "request_id", f"request_id has 1 to {LONGEST_ID} characters"
    if not 0 <= one.row < 1 << 31:
        return "row", "row is the place of the prediction in its request, from 0"
    if one.truth is None and one.rating is None:
        return "truth", "feedback says truth or rating"
    if isinstance(one.truth, str) and len(one.truth) > LONGEST_TRUTH:
        return "truth", f"truth has at most {LONGEST_TRUTH} characters"
    if isinstance(one.truth, int) and not -(1 << 63) <= one.truth < 1 << 63:
        return "truth", "truth is a number of 64 bits"
    return "", ""


def sampled(request: bytes, share: float) -> bool:
    """Whether a request is of the share that is kept: its id alone decides, whichever release answered."""
    if share >= 1.0:
        return True
    known = request[:32] if request[32:34] == b"-r" else request
    return zlib.crc32(known) < share * 4294967296.0


Written = Callable[[bool], None]


class Spool:
    """Takes records from the loop and writes them from a thread of its own."""

    def __init__(self, wanted: Settings, rows: Callable[[bytes], list[Any]]) -> None:
        """`rows` decodes a body as the service does: what a row does not declare is not kept."""
        self._wanted = wanted
        self._rows = rows
        self._all = wanted.sample >= 1.0
        self._waiting: deque[tuple[bytes, int, bytes, bytes]] = deque()
        self._told: deque[tuple[list[Said], Written]] = deque()
        self._added = self._taken = 0  # bytes; the loop counts the first, the thread the second
        self._dropped = self._failed = self._counted = 0  # records; the loop counts the first, the thread the others
        self._idle = False
        self._ending = False
        self._wake = threading.Event()
        self._segment = Segment(wanted)
        self._thread = threading.Thread(target=self._run, name="predictions", daemon=True)
        self._thread.start()

    def keep(self, request: bytes, body: bytes, answer: bytes) -> None:
        """Keep a prediction, if it is of the sample and there is room. Called from the loop; never waits."""
        if not self._all and not sampled(request, self._wanted.sample):
            return
        size = len(body) + len(answer) + 100
        if size > LARGEST or self._added - self._taken + size > WAITING:
            self._dropped += 1
            return
        self._added += size
        self._waiting.append((request, time.time_ns() // 1000, body, answer))
        if self._idle:
            self._wake.set()

    def tell(self, found: list[Said], written: Written) -> None:
        """Keep feedback; `written` is called from the thread, with whether it is on the disk."""
        self._told.append((found, written))
        self._wake.set()

    def close(self) -> None:
        """Write what waits, and close the segment."""
        self._ending = True
        self._wake.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            if not self._waiting and not self._told:
                if self._ending:
                    break
                self._idle = True
                if not self._waiting and not self._told and not self._ending:
                    self._wake.wait(self._segment.left())
                self._idle = False
            if not self._told and not self._ending:
                self._wake.clear()
                self._wake.wait(FLUSH)
            self._wake.clear()
            self._write()
            self._segment.turn()
        self._segment.close()

    def _write(self) -> None:
        for _ in range(len(self._waiting) // CHUNK + 1):
            chunk = [self._waiting.popleft() for _ in range(min(CHUNK, len(self._waiting)))]
            frames = [frame for one in chunk if (frame := self._frame(*one)) is not None]
            kept = len(frames)
            missed = self._dropped + self._failed - self._counted
            if missed:
                frames.append(_framed(DROPPED, missed))
            if self._segment.write(frames):
                self._counted += missed
            else:
                self._failed += kept
            self._taken += sum(len(body) + len(answer) + 100 for _, _, body, answer in chunk)
        if self._told:
            told = [self._told.popleft() for _ in range(len(self._told))]
            there = self._segment.write([self._feedback(found) for found, _ in told], durable=True)
            for _, written in told:
                written(there)

    def _frame(self, request: bytes, at_us: int, body: bytes, answer: bytes) -> Optional[bytes]:
        try:
            rows = self._rows(body)
            if self._wanted.redact:
                rows = [self._redacted(msgspec.to_builtins(row)) for row in rows]
                found = msgspec.json.decode(answer)
                answer = msgspec.json.encode([self._redacted(one) for one in (found if _many(body) else [found])])
            elif not _many(body):
                answer = b"[" + answer + b"]"
            return _framed(PREDICTION, request.decode("latin-1"), at_us, msgspec.json.encode(rows), answer)
        except Exception as error:  # noqa: BLE001 - the user's types, decoded and encoded again
            self._segment.complain(f"a prediction cannot be kept: {type(error).__name__}: {error}")
            self._failed += 1
            return None

    def _redacted(self, row: Any) -> Any:
        """A row whose redacted columns hold digests in the place of values; what has no columns is a prediction."""
        names = self._wanted.redact
        if not isinstance(row, dict):
            return self._segment.digest(row) if "prediction" in names else row
        return {name: self._segment.digest(value) if name in names else value for name, value in row.items()}

    def _feedback(self, found: list[Said]) -> bytes:
        hides = "truth" in self._wanted.redact
        return _framed(
            FEEDBACK,
            time.time_ns() // 1000,
            msgspec.json.encode(
                [
                    [one.request_id, one.row, self._segment.digest(one.truth) if hides else one.truth, one.rating]
                    for one in found
                ]
            ),
        )


class Segment:
    """The file that is being written, made with the first record and closed when it is large or old."""

    def __init__(self, wanted: Settings) -> None:
        self._wanted = wanted
        self._file: Optional[int] = None
        self._size = 0
        self._since = 0.0
        self._barred = 0.0  # until when nothing is tried, since it could not be written
        self._said = ""
        self._salt = b""

    def _key(self) -> bytes:
        """The key of the digests in this folder: made by whoever needs it first. Raises OSError."""
        if not self._salt:
            path = self._wanted.folder / SALT
            if not path.exists():
                made = self._wanted.folder / f".{uuid.uuid4().hex}"
                with open(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(os.urandom(32))
                    file.flush()
                    os.fsync(file.fileno())
                with contextlib.suppress(FileExistsError):
                    os.link(made, path)
                made.unlink()
            self._salt = path.read_bytes()
        return self._salt

    def digest(self, value: Any) -> Optional[str]:
        """What stands for a redacted value; nothing stays nothing. Raises OSError."""
        if value is None:
            return None
        told = msgspec.json.encode(value)
        return f"b2:{hashlib.blake2b(told, key=self._key(), digest_size=32).hexdigest()[:_DIGITS]}"

    def left(self) -> Optional[float]:
        """Seconds until it is old; None while there is none."""
        return None if self._file is None else max(0.0, self._since + AGE - time.monotonic())

    def write(self, frames: list[bytes], durable: bool = False) -> bool:
        """Append frames, all or none; False where there is no room for them."""
        if not frames:
            return True
        if time.monotonic() < self._barred:
            return False
        try:
            if self._file is None:
                self._open()
            assert self._file is not None
            self._append(self._file, b"".join(frames), durable)
        except OSError as error:
            self._barred = time.monotonic() + RETRY
            self.complain(f"predictions are not kept now: {error.strerror or error}")
            return False
        if self._said:
            self._said = ""
            _say("predictions are kept again")
        return True

    def turn(self) -> None:
        """Close it when it is large or old."""
        if self._file is not None and (self._size >= SEGMENT or self.left() == 0.0):
            self.close()

    def close(self) -> None:
        """Let it be collected."""
        if self._file is not None:
            fcntl.flock(self._file, fcntl.LOCK_UN)  # a child that user code forked may have the file open as well
            os.close(self._file)
            self._file = None

    def complain(self, text: str) -> None:
        """Say what is wrong, not the same twice in a row."""
        if text != self._said:
            self._said = text
            _say(text)

    def _open(self) -> None:
        folder = self._wanted.folder
        if sum(one.stat().st_size for one in os.scandir(folder) if one.name.endswith(".seg")) > FOLDER:
            raise OSError(f"{FOLDER >> 20} MiB of them wait to be collected")
        name = f"{time.time_ns() // 1000:016d}-{uuid.uuid4().hex}"
        hidden = folder / f".{name}"
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            head = {"format": FORMAT, "release": self._wanted.release, "models": dict(self._wanted.models)}
            first = _framed(BEGIN, head)
            if os.write(file, first) != len(first):
                raise OSError("the disk is full")
            os.rename(hidden, folder / f"{name}.seg")  # only now: what can be locked under this name is complete
        except OSError:
            os.close(file)
            with contextlib.suppress(OSError):
                hidden.unlink()
            raise
        self._file, self._size, self._since = file, len(first), time.monotonic()

    def _append(self, file: int, data: bytes, durable: bool) -> None:
        try:
            if os.write(file, data) != len(data):
                raise OSError("the disk is full")
            if durable:
                os.fdatasync(file)
        except OSError:
            try:
                os.ftruncate(file, self._size)
            except OSError:
                self.close()  # its last frame is torn, and ignored
            raise
        self._size += len(data)


def _many(body: bytes) -> bool:
    return body.lstrip(b" \t\r\n").startswith(b"[")


def _framed(*record: Any) -> bytes:
    data = msgspec.msgpack.encode(record)
    return _FRAME.pack(len(data), zlib.crc32(data)) + data


def frames(data: bytes) -> list[Any]:
    """The records of a segment, up to a frame that is torn or wrong."""
    found, place = [], 0
    while place + _FRAME.size <= len(data):
        length, check = _FRAME.unpack_from(data, place)
        record = data[place + _FRAME.size : place + _FRAME.size + length]
        if len(record) < length or zlib.crc32(record) != check:
            break
        try:
            found.append(msgspec.msgpack.decode(record))
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            break
        place += _FRAME.size + length
    return found


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - the service's log
