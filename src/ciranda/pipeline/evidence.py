"""What a check found, as an outcome and its evidence: a count and at most ten rows, private columns as digests."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ciranda.kernel import digest
from ciranda.kernel.store import Store
from ciranda.pipeline.records import Check, Outcome

ROWS = 10
_SHOWN = 15  # characters of a digest that stands for a private value


def outcome(check: Check, answer: Mapping[str, Any], *, store: Store, private: Collection[str]) -> Outcome:
    """The outcome that a worker's answer tells; its evidence is durable when the batch around this ends."""
    passed = answer.get("passed")
    columns = [str(name) for name in answer.get("columns") or ()]
    rows = hide(columns, (answer.get("rows") or ())[:ROWS], private)
    count, of, value = _number(answer.get("count")), _number(answer.get("of")), answer.get("value")
    kept = None
    if passed is not True and (rows or count is not None):
        kept = store.put(digest.canonical({"count": count, "of": of, "columns": columns, "rows": rows}))
    return Outcome(
        check=check.name,
        asset=check.asset,
        passed=passed if isinstance(passed, bool) else None,
        severity=check.severity,
        cached=False,
        seconds=float(answer.get("seconds") or 0.0),
        count=count,
        of=of,
        value=float(value) if isinstance(value, int | float) else None,
        evidence=kept,
        message=str(answer.get("message") or ""),
        error=str(answer["error"]) if answer.get("error") else None,
        rules={str(rule): int(number) for rule, number in (answer.get("rules") or {}).items()},
    )


def undecided(check: Check, message: str, error: str | None = None, seconds: float = 0.0) -> Outcome:
    """The outcome of a check that could not be judged."""
    return Outcome(check.name, check.asset, None, check.severity, False, seconds, message=message, error=error)


def hide(columns: Sequence[str], rows: Sequence[Sequence[Any]], private: Collection[str]) -> list[list[Any]]:
    """Rows whose private columns hold digests in the place of values; nothing stays nothing."""
    hidden = [name in private for name in columns]
    return [
        [
            digest.of("object", value)[:_SHOWN] if hide and value is not None else value
            for value, hide in zip(row, hidden, strict=False)
        ]
        for row in rows
    ]


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
