"""The page of drift: what drifts in words, its columns as charts and as tables, and how good the predictions were."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars
import pytest

from ciranda.kernel import clock
from ciranda.monitor.drift import count
from ciranda.monitor.windows import looking, references
from ciranda.monitor.windows.references import Reference
from support import pages
from support.pages import Shown
from support.predictions import PLACE, Spools
from support.web import request


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    with pages.filled(tmp_path_factory.mktemp("drift") / "home") as filled:
        pages.busy(filled, drifts=False)
        with pages.shown(filled) as served:
            yield served


def flights(rows: int, seed: int, later: float) -> list[dict[str, Any]]:
    chance = random.Random(seed)
    return [{"wind": chance.gauss(10 + later, 3), "carrier": chance.choice(["AA", "<b>UA"])} for _ in range(rows)]


def page(shown: Shown) -> str:
    answer = request(shown.port, "GET", "/flights/environments/prod/drift", token=shown.filled.token)
    assert answer.status == 200, answer.body.decode()
    return answer.body.decode()


def test_what_drifts_is_told_drawn_and_laid_out(shown: Shown, tmp_path: Path) -> None:
    assert "predictions = {}" in page(shown)
    database, store = shown.filled.database, shown.filled.store
    spools = Spools(tmp_path, database, store, shown.filled.home.store)
    kept = references.put(store, count.of_frame(polars.DataFrame(flights(2000, 1, 0))))
    made = Reference("flights", "", "delays", "r1", references.TRAINING, "history", kept, 2000, 0, clock.now_us())
    database.write(lambda tx: references.keep(tx, made))
    spools.predict([("a", flights(600, 2, 9.0), [1.5] * 600)])
    spools.tell([{"request_id": "a", "truth": 3.5}])
    spools.collector().look()
    assert looking.look(database, store, PLACE, "r1") is not None
    told = page(shown)
    assert "standard deviations higher than in the reference" in told or "is distributed otherwise" in told
    assert "history, which r1 was trained on" in told
    assert told.count('<svg class="chart"') == 2
    assert '<rect class="now"' in told
    assert "mae 2" in told
    assert "&lt;b&gt;UA" in told
    assert "<b>UA" not in told
