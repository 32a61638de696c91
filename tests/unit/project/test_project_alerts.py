"""Conditions, alerts and objectives as a team writes them."""

import pytest

from ciranda.kernel import errors
from ciranda.project import alerts, conditions, problems, read
from ciranda.project.conditions import Condition

HEAD = '[project]\nname = "a"\n[services.delays]\ncommand = "x"\n[environments.test]\n[environments.prod]\nafter = "test"\n'


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("errors > 5 %", Condition("errors", ">", 0.05)),
        ("errors over 10 min >= 0.5%", Condition("errors", ">=", 0.005, 600.0)),
        ("p99 > 300 ms", Condition("p99", ">", 0.3)),
        ("p50>1.5s", Condition("p50", ">", 1.5)),
        ("p99 over 15 min > 2 x week", Condition("p99", ">", 2.0, 900.0, week=True)),
        ("rate < 0.5 /s", Condition("rate", "<", 0.5)),
        ("rate over 1 h < 60 /min", Condition("rate", "<", 1.0, 3600.0)),
        ("memory > 2 GB", Condition("memory", ">", 2e9)),
        ("healthy < 1", Condition("healthy", "<", 1.0)),
        ("disk <= 90 %", Condition("disk", "<=", 0.9)),
        ("model.auc < 0.7", Condition("model.auc", "<", 0.7)),
    ],
)
def test_a_condition_is_read(text: str, condition: Condition) -> None:
    assert conditions.parse(text) == condition


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a condition"),
        ("errors", "not a condition"),
        ("errors > many", "not a condition"),
        ("erors > 5 %", "not a metric"),
        ("errors > 5", "needs a unit"),
        ("errors > 5 ms", "not a unit of errors"),
        ("healthy > 2 x week", "has no week"),
        ("errors over 3 fortnights > 5 %", "not a length"),
        ("model. < 1", "not a metric"),
    ],
)
def test_what_is_wrong_with_a_condition_is_said(text: str, said: str) -> None:
    with pytest.raises(errors.Invalid, match=said) as caught:
        conditions.parse(text)
    assert caught.value.hint


def test_every_default_can_be_read_and_switched_off() -> None:
    for name, one in alerts.DEFAULTS.items():
        conditions.parse(one.when)
        (found,) = read.read_text(f"{HEAD}[alerts.{name}]\noff = true\n", "c").alerts
        assert (found.off, found.when, found.severity, found.hold) == (True, one.when, one.severity, one.hold)


def test_a_default_keeps_what_is_not_said() -> None:
    (found,) = read.read_text(f'{HEAD}[alerts.errors]\nfor = "10 min"\nservice = "delays"\n', "c").alerts
    assert (found.when, found.hold, found.severity, found.service) == (
        "errors over 5 min > 5 %",
        600.0,
        "page",
        "delays",
    )


def test_an_objective_is_read() -> None:
    text = (
        f'{HEAD}[objectives.o]\nservice = "delays"\navailability = 0.999\nlatency = {{ p = 0.99, below = "300 ms" }}\n'
    )
    (found,) = read.read_text(text, "c").objectives
    assert (found.availability, found.latency, found.below, found.window) == (0.999, 0.99, 0.3, 30 * 86_400.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[alerts.mine]\nfor = "1 min"', "has no when"),
        ('[alerts.mine]\nwhen = "errors > 5"', "needs a unit"),
        ('[alerts.errors]\nfor = "soon"', "not a length of time"),
        ("[alerts.errors]\nfor = -1", "not a length of time"),
        ('[alerts.errors]\nseverity = "pages"', "not a severity"),
        ('[alerts.errors]\nservice = "delay"', "not a service"),
        ('[alerts.errors]\nenvironments = ["production"]', "not an environment"),
        ('[alerts.errors]\nrunbook = "javascript:alert(1)"', "neither an address nor a path"),
        ('[alerts."no name"]\nwhen = "errors > 5 %"', "wrong name"),
        ("[objectives.o]\navailability = 0.9", "has no service"),
        ('[objectives.o]\nservice = "delays"', "promises nothing"),
        ('[objectives.o]\nservice = "delays"\navailability = 99.9', "not a share"),
        ('[objectives.o]\nservice = "delays"\nlatency = { p = 0.9 }', "p and below"),
        (
            '[objectives.o]\nservice = "delays"\nlatency = { p = 0.9, below = "fast" }',
            "not a time that an answer takes",
        ),
        ('[objectives.o]\nservice = "delays"\navailability = 0.9\nwindow = "1 h"', "between a day and 90 days"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, said: str) -> None:
    with pytest.raises(problems.Declined, match=said) as caught:
        read.read_text(f"{HEAD}{text}\n", "ciranda.toml")
    assert caught.value.where.startswith("ciranda.toml:")
