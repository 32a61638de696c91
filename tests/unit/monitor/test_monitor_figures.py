"""How good predictions were: by hand, against scikit-learn, and with what makes no sense."""

import math
import random

import pytest

from ciranda.monitor.predictions import figures


def test_numbers_have_their_errors() -> None:
    found = figures.of([(1.0, 2.0), (5.0, 2.0), (2.5, None), (None, 1.0)], [4, 5, math.nan])
    assert (found.pairs, found.ratings) == (2, 2)
    assert (found.rating, found.mae, found.rmse, found.bias) == (4.5, 2.0, math.sqrt(5), 1.0)


def test_classes_are_right_or_wrong() -> None:
    assert figures.of([("cat", "cat"), ("dog", "cat")]).told() == {"accuracy": 0.5}
    assert figures.of([(1, True), (0, True), (1, 1.0)]).told() == {"accuracy": 2 / 3}
    assert figures.of([(True, "true"), (1, "1"), (2, "3")]).told() == {"accuracy": 2 / 3}


def test_probabilities_are_those_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = random.Random(7)
    true = [chance.random() < 0.4 for _ in range(500)]
    predicted = [round(min(max(chance.gauss(0.6 if one else 0.4, 0.2), 0.0), 1.0), 2) for one in true]
    found = figures.of(list(zip(predicted, true, strict=True)))
    assert found.auc == pytest.approx(metrics.roc_auc_score(true, predicted))
    assert found.log_loss == pytest.approx(metrics.log_loss(true, predicted, labels=[False, True]), rel=1e-6)
    assert found.accuracy == pytest.approx(metrics.accuracy_score(true, [one >= 0.5 for one in predicted]))


def test_one_class_alone_has_no_auc_and_a_certainty_that_is_wrong_a_finite_loss() -> None:
    found = figures.of([(0.3, 1), (0.0, 1)])
    assert found.auc is None
    assert found.log_loss is not None
    assert math.isfinite(found.log_loss)
    assert "auc" not in found.told()


@pytest.mark.parametrize("pairs", [[], [(None, 1)], [(math.nan, 1.0)], [({"a": 1}, "x")], [([1], 2), (3, "many")]])
def test_what_makes_no_sense_is_no_crash(pairs: list[tuple[object, object]]) -> None:
    assert set(figures.of(pairs).told()) <= {"accuracy"}
