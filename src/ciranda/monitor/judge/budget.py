"""How the chance of failing a good release is shared: one budget for the whole rollout, however many steps it has."""

from math import log

from ciranda.monitor.judge.state import Rules

ERRORS = 0.5  # of the budget; latency and each metric share the rest
LEANS = 0.25  # of what fails: while anything is that near, no step passes


def for_errors(rules: Rules) -> float:
    """The evidence of errors that fails a release."""
    return log(1.0 / (rules.budget * ERRORS))


def for_measure(rules: Rules, step: int, comparisons: int) -> float:
    """The evidence that each side of a comparison needs in this step (from 1), so that a measure fails a release.

    A step begins its measures anew, so each may spend half of what the steps before it left.
    """
    share = rules.budget * (1.0 - ERRORS) / (1 + len(rules.metrics))
    return log(2.0 * comparisons * 2.0**step / share)
