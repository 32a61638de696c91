"""A looser rollout of an environment is a loosened rule."""

from ciranda.checks.policy import Place, Rules, effective_policy
from ciranda.project.rollout import Rollout


def loosened(base: Rollout | None, change: Rollout | None) -> tuple[str, ...]:
    sides = [Rules(places={"prod": Place(rollout=one)}) for one in (base, change)]
    return effective_policy(*sides).loosened


def test_a_rollout_that_is_gone_or_looser_is_told() -> None:
    assert loosened(Rollout(), None) == ("environments.prod has no rollout any more",)
    assert loosened(Rollout(), Rollout(steps=(50, 100))) == (
        "environments.prod.rollout.steps [10, 50, 100] → [50, 100]",
    )
    assert loosened(None, Rollout()) == ()
    assert loosened(Rollout(), Rollout()) == ()
