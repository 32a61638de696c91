"""What a store holds is listed, and taken away without hurting what stays or whoever reads it."""

import os
import threading
from pathlib import Path

import pytest

from ciranda.kernel import errors, sweep
from ciranda.kernel.store import Store

LARGE = b"x" * 100_000


def filled(root: Path) -> tuple[Store, dict[str, str]]:
    """Two large objects and many small ones, by a store whose packs nobody writes to any more."""
    store = Store(root)
    names = {"large": store.put(LARGE), "other": store.put(LARGE + b"y")}
    with store.batch():
        names |= {f"small{n}": store.put(b"%d" % n * 100) for n in range(100)}
    return Store(root), names


def test_every_object_is_listed_with_its_size(tmp_path: Path) -> None:
    _, names = filled(tmp_path)
    found = {one.digest: one for one in sweep.listed(tmp_path)}
    assert set(found) == set(names.values())
    assert (found[names["large"]].size, found[names["large"]].packed) == (100_000, False)
    assert found[names["small42"]].packed


def test_what_goes_is_missing_and_what_stays_is_whole_in_stores_that_are_open(tmp_path: Path) -> None:
    store, names = filled(tmp_path)
    assert store.has(names["small7"])
    gone = {names["large"], *(names[f"small{n}"] for n in range(80))}
    freed = sweep.remove(tmp_path, gone)
    assert freed.objects == 81
    assert freed.size > 100_000
    for opened in (store, Store(tmp_path)):
        assert not opened.has(names["large"])
        assert not opened.has(names["small7"])
        assert opened.get(names["small99"]) == b"99" * 100
        assert opened.get(names["other"]) == LARGE + b"y"
    assert store.put(b"7" * 100) == names["small7"]
    assert Store(tmp_path).get(names["small7"]) == b"7" * 100


def test_a_pack_goes_when_nothing_of_it_is_left_and_stays_while_most_is(tmp_path: Path) -> None:
    store, names = filled(tmp_path)
    few = {names[f"small{n}"] for n in range(3)}
    assert sweep.remove(tmp_path, few) == sweep.Freed()
    assert store.has(names["small1"])
    small = {name for key, name in names.items() if key.startswith("small")}
    assert sweep.remove(tmp_path, small).objects == 100
    assert list((tmp_path / "packs").iterdir()) == []


def test_a_pack_that_is_written_to_is_left_for_another_time(tmp_path: Path) -> None:
    writer = Store(tmp_path)
    name = writer.put(b"small")
    assert sweep.remove(tmp_path, {name}) == sweep.Freed()
    assert writer.get(name) == b"small"


def test_nobody_collects_while_something_is_stored(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with store.steady(), store.steady():
        with pytest.raises(errors.Refused, match="being stored"), Store(tmp_path).alone(0.1):
            pass
    entered = threading.Event()

    def run() -> None:
        with store.steady():
            entered.set()

    with store.alone(0.1):
        thread = threading.Thread(target=run)
        thread.start()
        assert not entered.wait(0.1)
    thread.join()
    assert entered.is_set()
    assert os.listdir(tmp_path) == ["lock"]
