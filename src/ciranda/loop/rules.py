"""The rules that one commit declares, as the policy compares them."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from ciranda.checks import policy
from ciranda.kernel import clock, errors, events
from ciranda.kernel.database import Transaction
from ciranda.loop.changes import Change
from ciranda.pipeline import engine
from ciranda.project import declaration, freeze


def declared(project: declaration.Project) -> policy.Rules:
    """The rules that `ciranda.toml` alone says: enough to run the code checks."""
    chain = [environment.name for environment in project.environments]  # in promotion order
    now_us = clock.now_us()
    return policy.Rules(
        code=project.checks.code,
        code_timeout=project.checks.timeout,
        when_unsure=dict(project.checks.when_unsure),
        places={
            environment.name: policy.Place(
                tuple(chain[:place]),
                environment.verify,
                environment.approvals,
                environment.rollout,
                environment.four_eyes,
                tuple(text for text in environment.freeze if not freeze.over(text, now_us)),
            )
            for place, environment in enumerate(project.environments)
        },
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
    return replace(rules, checks=checks)


def whole(rules: policy.Rules, promised: Collection[str], commit: str) -> policy.Rules:
    """The rules of a base, if they still hold every function check that was there when it was judged.

    Raises errors.Refused: what describes a pipeline may break, and a gate must not open because of it.
    """
    lost = sorted(set(promised) - set(rules.checks))
    if lost:
        raise errors.Refused(
            f"the rules of {commit[:7]} cannot be read whole: its pipeline no longer has {', '.join(lost)}",
            hint="nothing moves until they are; see logs/runner.log",
        )
    return rules


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
