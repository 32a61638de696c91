import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import service


def test_what_is_missing_is_not_a_number():
    table = service.table([service.Flight(hour=7, origin="JFK", carrier="B6", distance=1000, temp=41.0)])
    assert table.shape == (1, 8)
    assert table[0, :3].tolist() == [7.0, 1000.0, 41.0]
    assert np.isnan(table[0, 3:]).all()
