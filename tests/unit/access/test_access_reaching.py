"""What the owner of a home allows its gates to ask."""

from pathlib import Path

import pytest

from ciranda.access import reaching
from ciranda.kernel import errors
from ciranda.kernel.outbound import Reach


def test_without_settings_public_addresses_alone(tmp_path: Path) -> None:
    assert reaching.of_home(tmp_path) == Reach()
    (tmp_path / "settings.toml").write_text('[outbound]\nallow = ["10.0.0.0/8", "data.intranet"]\n')
    assert reaching.of_home(tmp_path) == Reach(allowed=("10.0.0.0/8", "data.intranet"))


@pytest.mark.parametrize(
    "text",
    ["[outbound", "[other]\n", "[outbound]\ndeny = []\n", '[outbound]\nallow = "all"\n', "[outbound]\nallow = [1]\n"],
)
def test_settings_that_make_no_sense_open_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.toml").write_text(text)
    with pytest.raises(errors.Invalid) as caught:
        reaching.of_home(tmp_path)
    assert caught.value.where.endswith("settings.toml")
