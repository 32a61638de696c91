"""What a run made, on its way to durability: objects in batches, then the ledger rows that name them."""

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack

from ciranda.kernel import digest
from ciranda.kernel.database import Transaction
from ciranda.pipeline import cache, codec, tries
from ciranda.pipeline.key import Parts as KeyParts
from ciranda.pipeline.prepare import Prepared
from ciranda.pipeline.records import Outcome, Version
from ciranda.pipeline.request import Parts, Request

_EVERY = 0.1  # seconds that a result may wait to be made durable with others


class Recorder:
    """Collects what steps and checks made; nothing is in the ledger before its object is on the disk."""

    def __init__(self, request: Request, parts: Parts, run: str, prepared: Prepared) -> None:
        self._request = request
        self._parts = parts
        self._run = run
        self._prepared = prepared
        self._kept: dict[Hashable, str] = {}
        self._batch: ExitStack | None = None
        self._until = 0.0
        self._works: list[Callable[[Transaction], None]] = []
        self._written: list[Future[None]] = []

    def open(self) -> None:
        """Begin a batch, if none is open: what is put into the store from now on becomes durable with it."""
        if self._batch is None:
            self._batch = ExitStack()
            self._batch.enter_context(self._parts.store.batch())
            self._until = time.monotonic() + _EVERY

    def result(self, version: Version, parts: KeyParts, seconds: float) -> None:
        """Record what a step made."""
        self.open()
        code = parts.code
        explained = {
            "function": code.function,
            "base": code.base,
            "files": self._object(code.files, lambda: self._prepared.objects[code.files]),
            "modules": self._object(code.modules, lambda: digest.canonical(self._modules(code.modules))),
            "distributions": self._object("distributions", lambda: digest.canonical(dict(parts.around.distributions))),
            "parameters": dict(parts.parameters),
            "inputs": dict(parts.inputs),
            "python": parts.around.python,
            "platform": parts.around.platform,
            "commit": self._request.tree.commit,
        }
        text = codec.text(explained)
        project, trust, run = self._request.project.name, self._request.trust, self._run
        self._works.append(lambda tx: cache.keep_result(tx, project, trust, run, version, text, seconds))

    def outcome(self, key: str, outcome: Outcome) -> None:
        """Record an outcome that passed; of one that failed, that it did."""
        if outcome.tried and not outcome.passed:
            self.open()
            self._works.append(lambda tx: tries.keep(tx, key))
        if outcome.passed:
            self.open()
            project, trust, run = self._request.project.name, self._request.trust, self._run
            self._works.append(lambda tx: cache.keep_outcome(tx, project, trust, run, key, outcome))

    def due(self) -> float | None:
        """Seconds until the batch should end; None: there is none."""
        return None if self._batch is None else max(0.0, self._until - time.monotonic())

    def flush(self) -> None:
        """Make everything so far durable, then name it in the ledger. Raises errors.StorageFull."""
        if self._batch is None:
            return
        batch, works = self._batch, self._works
        self._batch, self._works = None, []
        batch.close()

        def work(tx: Transaction) -> None:
            for each in works:
                each(tx)

        if works:
            self._written.append(self._parts.database.submit(work))

    def close(self) -> None:
        """Flush, and wait until all of it is durable. Raises errors.StorageFull."""
        self.flush()
        for written in self._written:
            written.result()
        self._written.clear()

    def _object(self, what: Hashable, data: Callable[[], bytes]) -> str:
        """The digest of something that many results name, which is kept once."""
        if what not in self._kept:
            self._kept[what] = self._parts.store.put(data())
        return self._kept[what]

    def _modules(self, paths: Sequence[str]) -> dict[str, str]:
        return {path: self._prepared.found.survey.digest(path) for path in paths}
