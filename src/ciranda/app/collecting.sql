-- What `gc` asks of the tables of several rooms.

-- name: projects
SELECT name FROM project UNION SELECT project FROM run UNION SELECT project FROM release;

-- name: needed_releases
-- Releases that an environment runs, is on its way to, or ran last before that.
SELECT release FROM revision r
WHERE project = :project AND (
    state = 'target' OR (state = 'reached' AND 3 > (
        SELECT COUNT(*) FROM revision n
        WHERE n.project = r.project AND n.environment = r.environment AND n.state = 'reached' AND n.number > r.number
    ))
);

-- name: kept_changes
SELECT id FROM change WHERE project = :project AND (ended_us IS NULL OR recorded_us >= :since_us);

-- name: heads
SELECT id, head FROM change WHERE project = :project;

-- name: young_runs
SELECT id FROM run WHERE project = :project AND started_us >= :since_us;

-- name: runs_of_changes
SELECT id, run FROM change WHERE project = :project AND run IS NOT NULL;

-- name: runs_of_outputs
-- Runs of jobs whose tables an environment still has.
SELECT j.run FROM output o JOIN job_run j ON j.id = o.job_run WHERE o.project = :project AND j.run IS NOT NULL;

-- name: borrowed_steps
SELECT id, steps_of FROM run WHERE project = :project AND steps_of IS NOT NULL;

-- name: profiles
SELECT version, object FROM profile;

-- name: unchanged
SELECT tree, run FROM unchanged;

-- name: drop_unchanged
DELETE FROM unchanged WHERE tree = :key;

-- name: drop_result
DELETE FROM result WHERE key = :key;

-- name: drop_outcome
DELETE FROM outcome WHERE key = :key;

-- name: old_job_runs
-- Runs of jobs that ended long ago, made nothing that an environment still has, and for which a newer one that ended so stands.
-- Of those that a schedule queued the newest stay, since the next occurrence is counted from them.
SELECT id FROM job_run r
WHERE project = :project AND state IN ('passed', 'failed', 'skipped') AND COALESCE(ended_us, queued_us) < :since_us
    AND NOT EXISTS (SELECT 1 FROM output WHERE output.job_run = r.id)
    AND EXISTS (
        SELECT 1 FROM job_run n
        WHERE n.project = r.project AND n.environment = r.environment AND n.job = r.job AND n.state = r.state
            AND n.due_us > r.due_us AND CASE WHEN n.cause = 'by hand' THEN 1 ELSE 0 END = CASE WHEN r.cause = 'by hand' THEN 1 ELSE 0 END
    );

-- name: drop_job_run
DELETE FROM job_run WHERE id = :key;

-- name: drop_job_verdicts
-- What was found on the way of such a run.
DELETE FROM verdict WHERE change = :key;
