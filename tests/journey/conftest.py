"""Journeys run confined; those of a module that says `CONFINED_AND_NOT = True` run unconfined as well."""

import os
from collections.abc import Iterator

import pytest

from ciranda.kernel import confine


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    both = getattr(metafunc.module, "CONFINED_AND_NOT", False)
    ways = ["confined", "unconfined"] if both else ["confined"]
    metafunc.parametrize("confinement", ways, indirect=True, scope="module")


@pytest.fixture(scope="module", autouse=True)
def confinement(request: pytest.FixtureRequest) -> Iterator[str]:
    """How the commands of a journey run what is the user's; "confined" needs bubblewrap to work."""
    way: str = request.param
    before = os.environ.pop("CIRANDA_CONFINE", None)
    if way == "unconfined":
        os.environ["CIRANDA_CONFINE"] = "off"
    else:
        assert confine.available({}), "bubblewrap must work where the tests run: install it"
    yield way
    os.environ.pop("CIRANDA_CONFINE", None)
    if before is not None:
        os.environ["CIRANDA_CONFINE"] = before
