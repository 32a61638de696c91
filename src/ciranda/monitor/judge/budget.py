"""How the chance of failing a good release is shared: one budget for the whole rollout, however many steps it has."""

from math import log

from ciranda.monitor.judge.state import Rules

ERRORS = 0.5  # of the budget; latency and each metric share the rest
LEANS = 0.25  # of what fails: while anything is that near, no step passes


def for_errors(rules: Rules) -> float:
    """The evidence of errors that fails a release."""
    return log(1.0 / (rules.budget * ERRORS))


def for_measure(rules: Rules, number: int, comparisons: int) -> float:
    """The evidence that each side of a comparison needs, so that a measure fails a release.

    A measure begins anew again and again; the n-th time (from 1) it may spend 1/n(n+1) of its part, so that all times
    together spend it once.
    """
    share = rules.budget * (1.0 - ERRORS) / (1 + len(rules.metrics))
    number = max(1, number)  # 0: of a state that is older than its first step
    return log(2.0 * comparisons * number * (number + 1) / share)
