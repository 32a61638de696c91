"""The judge's figures, simulated with the judge itself as `benchmarks/judge.py` does, on fewer releases."""

import importlib.util
import statistics
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[3] / "benchmarks" / "judge.py"


@pytest.fixture(scope="module")
def simulated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_judge", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["benchmark_judge"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("times", "median", "most"), [(10.0, 12.0, 20.0), (4.0, 40.0, 75.0)])
def test_errors_are_found_soon(simulated: ModuleType, times: float, median: float, most: float) -> None:
    ended = [simulated.rolled(simulated.Release(seed, times=times, steps=(0.1,), timed=False)) for seed in range(40)]
    assert {one.outcome for one in ended} == {"fail"}
    seconds = sorted(one.seconds for one in ended)
    assert statistics.median(seconds) <= median
    assert seconds[38] <= most


def test_good_releases_go_through(simulated: ModuleType) -> None:
    ended = [simulated.rolled(simulated.Release(seed, base=0.03)) for seed in range(15)]
    assert [one.outcome for one in ended] == ["pass"] * 15


def test_a_good_release_at_few_requests_is_not_failed(simulated: ModuleType) -> None:
    releases = [simulated.Release(seed, rate=5.0, every=60, steps=(0.1, 0.5)) for seed in range(20)]
    assert "fail" not in {simulated.rolled(release).outcome for release in releases}


def test_a_release_without_errors_is_through_ten_percent_within_a_minute(simulated: ModuleType) -> None:
    ended = [simulated.rolled(simulated.Release(seed, base=0.0, steps=(0.1,))) for seed in range(10)]
    assert max(one.passed[0] for one in ended) <= 60
