"""The rules that one commit declares, as the policy compares them."""

from collections.abc import Sequence

from ciranda.checks import policy
from ciranda.kernel import events
from ciranda.kernel.database import Transaction
from ciranda.loop.changes import Change
from ciranda.pipeline import engine
from ciranda.project import declaration


def declared(project: declaration.Project) -> policy.Rules:
    """The rules that `ciranda.toml` alone says: enough to run the code checks."""
    return policy.Rules(
        code=project.checks.code, code_timeout=project.checks.timeout, when_unsure=dict(project.checks.when_unsure)
    )


def of(project: declaration.Project, described: engine.Described) -> policy.Rules:
    """All rules of a commit: its declaration and the function checks of its pipeline, each with the digest of its code."""
    rules = declared(project)
    checks = {
        check.name: policy.CheckRule(
            asset=check.asset,
            body=described.checks[check.name].fingerprint,
            at_least=check.at_least,
            at_most=check.at_most,
            severity=check.severity,
        )
        for check in described.description.checks
    }
    return policy.Rules(rules.code, rules.code_timeout, checks, rules.when_unsure)


def accepted(tx: Transaction, change: Change, loosened: Sequence[str]) -> None:
    """Record who let a change in that loosens rules, and which."""
    events.append(
        tx,
        chain=change.project,
        kind="rule.accepted",
        subject=change.id,
        actor=change.actor,
        body={"rules": list(loosened)},
    )
