"""The worker: runs the steps and checks of one tree in the project's interpreter.

`python -I -m ciranda.runtime.worker READ_FD WRITE_FD`; the protocol is in `protocol.py` and ARCHITECTURE.md §8. A
worker opens no home and computes no digest. It ends with its run: on `bye`, when the engine closes the stream, or dies.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable, Optional

from ciranda.runtime import codecs, describe, inputs, judge, protocol, tables, traces
from ciranda.runtime.figures import RECORDER
from ciranda.runtime.inputs import Failure
from ciranda.runtime.kept import Kept
from ciranda.runtime.output import Capture

GONE = select.POLLERR | select.POLLHUP | select.POLLNVAL


class Worker:
    """One engine's worker. `serve` returns when the engine is done with it."""

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write = read, write
        self._pid = os.getpid()
        self._sending = threading.Lock()
        self._current: Optional[str] = None
        self._tree = Path()
        self._pipeline = ""
        self._folder = Path()
        self._imported = False
        self._known: dict[tuple[str, str], inputs.Prepared] = {}
        self._kept = Kept()
        self._inputs = inputs.Inputs(self._tree, self._folder, {}, self._kept)
        self._watched = select.poll()
        self._watched.register(write, 0)
        self._capture = Capture(self._log, self._end_with_engine)

    def serve(self) -> None:
        """Answer frames until `bye` or the end of the stream."""
        answers: dict[str, Callable[[protocol.Header, bytes], None]] = {
            "hello": self._hello,
            "describe": self._describe,
            "step": self._step,
            "check": self._check,
        }
        while True:
            try:
                frame = protocol.receive(self._read)
            except protocol.ProtocolError as error:
                self._send({"type": "failed", "id": None, "kind": "protocol", "traceback": "", "message": str(error)})
                return
            if frame is None:
                return
            header, payload = frame
            if header["type"] == "bye":
                self._capture.stop()
                self._send({"type": "bye"})
                return
            self._current = header.get("id")
            try:
                answer = answers.get(header["type"])
                if answer is None:
                    raise Failure("protocol", f"a worker knows no message {header['type']!r}")
                answer(header, payload)
            except Failure as failure:
                self._capture.flush()
                self._fail(failure)

    def _hello(self, header: protocol.Header, _payload: bytes) -> None:
        if header.get("protocol") != protocol.PROTOCOL:
            raise Failure(
                "protocol", f"the engine speaks protocol {header.get('protocol')!r}, this worker {protocol.PROTOCOL}"
            )
        self._tree = Path(header["tree"]).resolve()
        self._pipeline = header.get("pipeline") or ""
        self._folder = Path(header["folder"])
        self._inputs = inputs.Inputs(self._tree, self._folder, header.get("run") or {}, self._kept)
        os.chdir(self._tree)
        describe.enter(describe.roots(self._tree, self._pipeline or None))
        sys.argv = [self._pipeline or "ciranda"]
        self._send(
            {
                "type": "hello",
                "protocol": protocol.PROTOCOL,
                "python": describe.python(),
                "platform": describe.machine(),
                "pid": os.getpid(),
            }
        )

    def _describe(self, _header: protocol.Header, _payload: bytes) -> None:
        try:
            described = describe.describe(self._tree, self._pipeline)
        except describe.Undescribable as error:
            raise Failure("import", str(error)) from error
        except BaseException as error:  # the user's code, sys.exit() included
            raise Failure("import", traces.summary(error), traces.shown(error, str(self._tree))) from error
        self._capture.flush()
        self._send({"type": "describe", **described})

    def _step(self, header: protocol.Header, payload: bytes) -> None:
        began = time.perf_counter()
        name, out = header["step"], self._out(header)
        prepared = self._prepared(header, header.get("function") or name)
        scratch = out.parent / f"scratch-{header['id']}"
        args, kwargs = self._inputs.arguments(prepared, header, payload, scratch)
        RECORDER.begin()
        try:
            output, data = self._stored(name, prepared.function(*args, **kwargs), out, prepared.returns)
        except codecs.Unstorable as error:
            file, line = describe.place(prepared.function, self._tree)
            raise Failure("unstorable", f"{file}:{line}  step {name} returned {error}") from error
        except BaseException as error:
            raise Failure("raised", traces.summary(error), traces.shown(error, str(self._tree))) from error
        finally:
            figures = RECORDER.end()
            _clear(scratch)
        self._capture.flush()
        seconds = time.perf_counter() - began
        self._send(
            {"type": "result", "id": header["id"], "output": output, "figures": figures, "seconds": seconds}, data
        )

    def _check(self, header: protocol.Header, payload: bytes) -> None:
        began = time.perf_counter()
        prepared = self._prepared(header, header["function"])
        scratch = self._folder / "out" / f"scratch-{header['id']}"
        args, kwargs = self._inputs.arguments(prepared, header, payload, scratch)
        trace = ""
        try:
            found = judge.judge(prepared.function(*args, **kwargs), header.get("at_least"), header.get("at_most"))
        except BaseException as error:  # noqa: BLE001 - the user's code
            found, trace = judge.raised(error), traces.shown(error, str(self._tree))
        finally:
            _clear(scratch)
        self._capture.flush()
        self._send(
            {
                "type": "outcome",
                "id": header["id"],
                "passed": found.passed,
                "count": found.count,
                "of": _rows(header, kwargs),
                "value": found.value,
                "columns": found.columns,
                "rows": found.rows,
                "rules": found.rules,
                "message": found.message,
                "error": trace or None,
                "seconds": time.perf_counter() - began,
            }
        )

    def _out(self, header: protocol.Header) -> Path:
        """Where the step's result goes: the path that `out` names, or `<id>` inside it where it is a folder."""
        out = self._folder / str(header["out"])
        return out / str(header["id"]) if out.is_dir() else out

    def _prepared(self, header: protocol.Header, name: str) -> inputs.Prepared:
        """A step by its name, or any function by "module:qualname"; the pipeline file is imported first."""
        kind = str(header["type"])
        known = self._known.get((kind, name))
        if known is not None:
            return known
        try:
            if self._pipeline and not self._imported:
                describe.load(self._tree, self._pipeline)
            self._imported = True
            function = describe.resolve(name) if ":" in name else self._declared(name)
        except describe.Undescribable as error:
            raise Failure("import", str(error)) from error
        except BaseException as error:
            raise Failure("import", traces.summary(error), traces.shown(error, str(self._tree))) from error
        return self._known.setdefault((kind, name), inputs.prepare(function, kind))

    def _declared(self, name: str) -> Callable[..., Any]:
        where = describe.roots(self._tree, self._pipeline or None)
        for declaration in describe.declared(where):
            if declaration.kind != "check" and declaration.name == name:
                return declaration.function
        raise describe.Undescribable(f"{self._pipeline} has no step {name}")

    def _stored(self, name: str, value: Any, out: Path, returns: str) -> tuple[dict[str, Any], bytes]:
        """Store what a step returned: its handover, and its bytes where they travel as payload."""
        shape = codecs.shape(value)
        if tables.is_a(value, "polars", "LazyFrame"):
            value = value.collect()
            shape = codecs.shape(value)
        codec, data = codecs.dump(value, out, returns)
        handover: dict[str, Any] = {"codec": codec, "name": name, **shape}
        if codecs.lasting(value):
            self._kept.keep_made(name, value)
            handover["held"] = True
        if data is None and out.is_file() and out.stat().st_size <= protocol.INLINE and codec != "file":
            data = out.read_bytes()
            out.unlink()
        if data is not None and len(data) <= protocol.INLINE:
            return {**handover, "inline": True, "size": len(data)}, data
        if data is not None:
            out.write_bytes(data)
        size = (
            sum(item.stat().st_size for item in out.rglob("*") if item.is_file())
            if out.is_dir()
            else out.stat().st_size
        )
        return {**handover, "path": str(out), "size": size}, b""

    def _send(self, header: protocol.Header, payload: bytes = b"") -> None:
        if os.getpid() != self._pid:
            os._exit(1)  # a fork of the user's that came back here: the engine has one worker
        with self._sending:
            protocol.send(self._write, header, payload)

    def _log(self, stream: str, text: str) -> None:
        self._send({"type": "log", "id": self._current, "stream": stream, "text": text})

    def _fail(self, failure: Failure) -> None:
        self._send(
            {
                "type": "failed",
                "id": self._current,
                "kind": failure.kind,
                "traceback": failure.traceback,
                "message": failure.message,
            }
        )

    def _end_with_engine(self) -> None:
        """Leave at once when nobody reads any more, whatever user code does at that moment."""
        if any(event & GONE for _, event in self._watched.poll(0)):
            os._exit(1)


def _rows(header: protocol.Header, kwargs: dict[str, Any]) -> Optional[int]:
    """The rows of the asset that a check tests, where it is a table that the check took."""
    for name, handover in (header.get("inputs") or {}).items():
        if handover and name == header.get("asset"):
            if handover.get("rows") is not None:
                return int(handover["rows"])
            value = kwargs.get(name)
            return tables.height(value) if value is not None else None
    return None


def _clear(scratch: Path) -> None:
    """Remove a scratch folder, if there was need of one."""
    if scratch.exists():
        shutil.rmtree(scratch, ignore_errors=True)


def main() -> None:
    """Serve on the two descriptors that the command line names."""
    read, write = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(read, False)
    os.set_inheritable(write, False)
    worker = Worker(read, write)
    try:
        worker.serve()
    except BrokenPipeError:
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
