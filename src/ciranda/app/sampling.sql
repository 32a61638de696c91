-- What is sampled of the ledger.

-- name: live
-- What runs in each environment, and how many instances of each service it asks for.
SELECT revision.project, revision.environment, revision.instances, release.number
FROM environment JOIN revision ON revision.id = (SELECT newest.id FROM revision AS newest
    WHERE newest.project = environment.project AND newest.environment = environment.name AND newest.state = 'reached'
    ORDER BY newest.number DESC LIMIT 1)
JOIN release ON release.id = revision.release
WHERE revision.cause <> 'destroy';

-- name: exits
-- Crashes of each service's releases so far.
SELECT specification.project, specification.environment, specification.service, specification.release, COUNT(*) AS exits
FROM ending JOIN specification ON specification.digest = ending.spec
WHERE ending.exited_us IS NOT NULL AND ending.asked_us IS NULL
GROUP BY specification.project, specification.environment, specification.service, specification.release;

-- name: ended_jobs
-- Runs of jobs that ended lately.
SELECT id, project, environment, job, state, started_us, ended_us FROM job_run
WHERE ended_us > :since_us AND started_us IS NOT NULL AND state IN ('passed', 'failed');

-- name: made_releases
-- Releases that were made lately, with what their change's run made.
SELECT release.id, release.project, release.number, release.created_us, change.outcome
FROM release JOIN change ON change.id = release.change WHERE release.created_us > :since_us;
