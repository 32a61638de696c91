"""Twenty short tortures of a toy: whatever is killed wherever, the server comes to rest again and nothing acknowledged is lost."""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ciranda.kernel import failpoints
from support import torture, torture_plan, torture_verbs

KILLS = 3  # a seed


class Victim:
    """A server that several seeds share; one that was broken is replaced."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = contextlib.ExitStack()
        self._ordeal: torture.Ordeal | None = None
        self._count = 0

    @contextlib.contextmanager
    def of(self, seed: int) -> Iterator[torture.Ordeal]:
        if self._ordeal is None:
            self._count += 1
            self._ordeal = self._held.enter_context(torture_verbs.begun(self._folder / str(self._count), seed, print))
        self._ordeal.seed, self._ordeal.rng = seed, random.Random(seed)
        try:
            yield self._ordeal
        except BaseException:
            self._ordeal = None
            self._held.close()
            raise

    def end(self) -> None:
        """Look at everything once more, and leave nothing."""
        with self._held:
            if self._ordeal is not None:
                self._ordeal.last_look()


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    made = Victim(tmp_path_factory.mktemp("torture"))
    yield made
    made.end()


@pytest.mark.parametrize("seed", range(12))
def test_it_converges_and_keeps_its_word(seed: int, victim: Victim) -> None:
    with victim.of(seed) as ordeal:
        kind, wants = torture_plan.next_round(torture_plan.all_of(100, ordeal.rng)[:40], ordeal.rng)
        getattr(ordeal, kind)(wants[:KILLS])


def test_every_point_has_a_round() -> None:
    wants = [torture_plan.Want(point) for point in failpoints.NAMES]
    assert [want for want in wants if not torture_plan.kinds(want)] == []
