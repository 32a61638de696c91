-- name: places
-- What is live in each environment, with the release that it runs.
SELECT revision.project, revision.environment, revision.id AS revision, revision.release, revision.cause, revision.ended_us
FROM environment JOIN revision ON revision.id = (SELECT newest.id FROM revision AS newest
    WHERE newest.project = environment.project AND newest.environment = environment.name AND newest.state = 'reached'
    ORDER BY newest.number DESC LIMIT 1)
ORDER BY revision.project, revision.environment;

-- name: known_jobs
-- The jobs of all environments, of a project or of one environment.
SELECT * FROM job WHERE (CAST(:project AS TEXT) = '' OR project = :project)
    AND (CAST(:environment AS TEXT) = '' OR environment = :environment)
ORDER BY project, environment, name;

-- name: learn_job
-- A job as the live release has it; the time since when it holds stays while its schedule does.
INSERT INTO job (project, environment, name, body, since_us, late_us) VALUES (:project, :environment, :name, :body, :since_us, NULL)
ON CONFLICT (project, environment, name) DO UPDATE SET body = excluded.body, since_us = excluded.since_us;

-- name: forget_job
DELETE FROM job WHERE project = :project AND environment = :environment AND name = :name;

-- name: forget_next_try
-- What waits for its next try has none when its job is gone.
UPDATE job_run SET state = 'failed', retry_us = NULL, ended_us = :now_us
WHERE project = :project AND environment = :environment AND job = :name AND state = 'waiting' AND retry_us IS NOT NULL;

-- name: mark_late
-- Once an occurrence, whoever looks.
UPDATE job SET late_us = :due_us
WHERE project = :project AND environment = :environment AND name = :name AND COALESCE(late_us, 0) < :due_us;

-- name: insert_job_run
-- Nothing happens when the occurrence has its row, or another run of the job goes on.
INSERT INTO job_run (id, project, environment, job, due_us, cause, actor, state, attempt, retry_us, task, release, revision, run,
    reason, queued_us, started_us, ended_us)
VALUES (:id, :project, :environment, :job, :due_us, :cause, :actor, :state, 1, NULL, :task, NULL, NULL, NULL, :reason, :now_us,
    NULL, :ended_us)
ON CONFLICT DO NOTHING;

-- name: job_run
SELECT * FROM job_run WHERE id = :id;

-- name: active_job_runs
-- What waits or runs now.
SELECT * FROM job_run WHERE state IN ('waiting', 'running') AND (CAST(:project AS TEXT) = '' OR project = :project);

-- name: last_job_runs
-- Of each job the last occurrence that has a row, and the last one (or run by hand) that passed.
SELECT job.project, job.environment, job.name AS job,
    (SELECT due_us FROM job_run WHERE job_run.project = job.project AND job_run.environment = job.environment
        AND job_run.job = job.name AND cause <> 'by hand' ORDER BY due_us DESC LIMIT 1) AS due_us,
    (SELECT due_us FROM job_run WHERE job_run.project = job.project AND job_run.environment = job.environment
        AND job_run.job = job.name AND state = 'passed' ORDER BY due_us DESC LIMIT 1) AS passed_us
FROM job WHERE CAST(:project AS TEXT) = '' OR project = :project;

-- name: job_history
-- The runs of a job in an environment, the newest first.
SELECT * FROM job_run WHERE project = :project AND environment = :environment AND job = :job
ORDER BY queued_us DESC, id DESC LIMIT :most;

-- name: last_ended_job_run
-- The last run of a job that came to an end of its own.
SELECT * FROM job_run WHERE project = :project AND environment = :environment AND job = :job AND state IN ('passed', 'failed')
ORDER BY ended_us DESC, id DESC LIMIT 1;

-- name: begin_job_run
-- It runs now; the same again when another process takes over.
UPDATE job_run SET state = 'running', release = :release, revision = :revision, retry_us = NULL, started_us = :now_us
WHERE id = :id AND task = :task AND state IN ('waiting', 'running');

-- name: end_job_run
UPDATE job_run SET state = :state, reason = :reason, run = COALESCE(:run, run), retry_us = NULL, ended_us = :now_us
WHERE id = :id AND state IN ('waiting', 'running');

-- name: put_off_job_run
-- It failed and is tried again later.
UPDATE job_run SET state = 'waiting', reason = :reason, run = COALESCE(:run, run), retry_us = :retry_us, task = NULL, attempt = attempt + 1
WHERE id = :id AND state IN ('waiting', 'running');

-- name: requeue_job_run
-- Its next try is queued.
UPDATE job_run SET task = :task, retry_us = NULL WHERE id = :id AND state = 'waiting' AND task IS NULL;

-- name: reopen_job_run
-- Somebody wants it tried again; not while another run of the job goes on.
UPDATE job_run SET state = 'waiting', task = :task, actor = :actor, attempt = attempt + 1, ended_us = NULL WHERE id = :id AND state = 'failed';

-- name: keep_output
INSERT INTO output (project, environment, asset, version, job_run, at_us)
VALUES (:project, :environment, :asset, :version, :job_run, :at_us)
ON CONFLICT (project, environment, asset) DO UPDATE
SET version = excluded.version, job_run = excluded.job_run, at_us = excluded.at_us;

-- name: outputs
-- What jobs made, with the job that did.
SELECT output.asset, output.version, output.job_run, output.at_us, job_run.job FROM output JOIN job_run ON job_run.id = output.job_run
WHERE output.project = :project AND output.environment = :environment ORDER BY output.asset;
