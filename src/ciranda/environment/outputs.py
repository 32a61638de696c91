"""What the jobs of an environment made: the versions that it has in the place of its release's."""

import json
from dataclasses import asdict, dataclass

from ciranda.environment import jobs
from ciranda.kernel import clock, statements
from ciranda.kernel.database import Database, Transaction
from ciranda.pipeline import records

sql = statements.load("ciranda.environment", "jobs.sql")


@dataclass(frozen=True, slots=True)
class Output:
    """The version of an asset that an environment has from a job."""

    asset: str
    version: records.Version
    job_run: str
    at_us: int
    job: str


def keep(tx: Transaction, run: jobs.Run, version: records.Version) -> None:
    """An environment has this version of an asset now."""
    tx.execute(
        sql.keep_output, project=run.project, environment=run.environment, asset=version.asset,
        version=json.dumps(asdict(version), ensure_ascii=False), job_run=run.id, at_us=clock.now_us(),
    )  # fmt: skip


def current(database: Database | Transaction, project: str, environment: str) -> dict[str, Output]:
    """What the jobs of what is live made, as an environment has it now, by asset. What no job makes any more is the release's."""
    rows = database.query(sql.outputs, project=project, environment=environment)
    makes = {asset for one in jobs.known(database, project, environment) for asset in one.job.run} if rows else set()
    found = (Output(**row | {"version": records.Version(**json.loads(row["version"]))}) for row in rows)
    return {output.asset: output for output in found if output.asset in makes}
