"""What is known already: results by key, and outcomes that passed. A miss is always safe."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from ciranda.kernel import clock, statements
from ciranda.kernel.database import Database, Row, Transaction
from ciranda.pipeline import codec
from ciranda.pipeline.records import Outcome, Version

sql = statements.load("ciranda.pipeline")


@dataclass(frozen=True, slots=True)
class Result:
    """A version that was made for a key: by which run, at which trust, in how many seconds."""

    version: Version
    seconds: float
    run: str
    trust: str


class Known:
    """Results and outcomes by key, for one run. What the last run of the project used is read in one go."""

    def __init__(self, database: Database, project: str, accepts: Collection[str] | None) -> None:
        """`accepts`: the trust levels whose results are taken; None: all."""
        self._database = database
        self._accepts = accepts
        self._results: dict[str, Result] = {}
        self._outcomes: dict[str, Outcome] = {}
        last = database.one(sql.latest_run, project=project)
        if last is not None:
            run = last["steps_of"] or last["id"]
            for row in database.query(sql.results_of_run, run=run):
                if self._taken(row):
                    self._results[row["key"]] = _result(row)
            for row in database.query(sql.outcomes_of_run, run=run):
                if self._taken(row):
                    self._outcomes[row["key"]] = codec.outcome(row["body"])

    def result(self, key: str) -> Result | None:
        """What was made for a key."""
        found = self._results.get(key)
        if found is None:
            rows = [row for row in self._database.query(sql.results, key=key) if self._taken(row)]
            found = _result(rows[0]) if rows else None
        return found

    def outcome(self, key: str) -> Outcome | None:
        """What a check found for a key, if it passed."""
        found = self._outcomes.get(key)
        if found is None:
            rows = [row for row in self._database.query(sql.outcomes, key=key) if self._taken(row)]
            found = codec.outcome(rows[0]["body"]) if rows else None
        return replace(found, cached=True, seconds=0.0) if found else None

    def _taken(self, row: Row) -> bool:
        return self._accepts is None or row["trust"] in self._accepts


def _result(row: Row) -> Result:
    return Result(codec.version(row["version"]), row["seconds"], row["run"], row["trust"])


def keep_result(
    tx: Transaction, project: str, trust: str, run: str, version: Version, parts: str, seconds: float
) -> None:
    """Record what was made for a key. The object is durable before."""
    tx.execute(
        sql.keep_result,
        key=version.key,
        trust=trust,
        project=project,
        asset=version.asset,
        version=codec.version_text(version),
        parts=parts,
        seconds=seconds,
        run=run,
        made_us=clock.now_us(),
    )


def keep_outcome(tx: Transaction, project: str, trust: str, run: str, key: str, outcome: Outcome) -> None:
    """Record an outcome that passed."""
    tx.execute(
        sql.keep_outcome,
        key=key,
        trust=trust,
        project=project,
        check_name=outcome.check,
        body=codec.outcome_text(outcome),
        run=run,
        made_us=clock.now_us(),
    )
