-- name: next_run_number
SELECT COALESCE(MAX(number), 0) + 1 AS number FROM run WHERE project = :project;

-- name: insert_run
INSERT INTO run (id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter, confined,
    process, steps_of, summary)
VALUES (:id, :project, :number, :commit_id, :dirty, :cause, :actor, :trust, :state, :started_us, :ended_us, :interpreter,
    :confined, :process, :steps_of, :summary);

-- name: end_run
UPDATE run SET state = :state, ended_us = :ended_us, interpreter = :interpreter, steps_of = :steps_of, summary = :summary
WHERE id = :id AND state = 'running';

-- name: insert_run_step
INSERT INTO run_step (run, position, step, state, key, digest, seconds, version, error)
VALUES (:run, :position, :step, :state, :key, :digest, :seconds, :version, :error);

-- name: insert_run_outcome
INSERT INTO run_outcome (run, position, check_name, key, body) VALUES (:run, :position, :check_name, :key, :body);

-- name: running
-- Runs that say they are still going on: their process tells whether that is so.
SELECT id, project, number, process FROM run WHERE state = 'running';

-- name: interrupt_run
UPDATE run SET state = 'interrupted', ended_us = :now WHERE id = :id AND state = 'running';

-- name: latest_run
-- The last run of a project that has steps.
SELECT id, number, steps_of FROM run
WHERE project = :project AND state IN ('finished', 'failed')
    AND (steps_of IS NOT NULL OR EXISTS (SELECT 1 FROM run_step WHERE run_step.run = run.id))
ORDER BY number DESC LIMIT 1;

-- name: last_steps
SELECT step, key, digest FROM run_step WHERE run = :run ORDER BY position;

-- name: last_outcomes
SELECT check_name, key FROM run_outcome WHERE run = :run ORDER BY position;

-- name: runs
SELECT id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter, confined, steps_of,
    summary
FROM run WHERE project = :project ORDER BY number DESC LIMIT :limit;

-- name: run_by_number
SELECT id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter, confined, steps_of,
    summary
FROM run WHERE project = :project AND number = :number;

-- name: run_by_id
SELECT id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter, confined, steps_of,
    summary
FROM run WHERE id = :id;

-- name: run_number
SELECT number FROM run WHERE id = :id;

-- name: run_steps
SELECT step, state, key, seconds, version, error FROM run_step WHERE run = :run ORDER BY position;

-- name: run_outcomes
SELECT check_name, key, body FROM run_outcome WHERE run = :run ORDER BY position;

-- name: projects
SELECT DISTINCT project FROM run ORDER BY project;

-- name: results
-- What is known for a key, whoever made it.
SELECT trust, version, seconds, run FROM result WHERE key = :key;

-- name: results_of_run
-- What is known for the keys of a run: most of what the next run asks for.
SELECT r.key, r.trust, r.version, r.seconds, r.run FROM run_step s JOIN result r ON r.key = s.key WHERE s.run = :run;

-- name: outcomes_of_run
SELECT o.key, o.trust, o.body FROM run_outcome s JOIN outcome o ON o.key = s.key WHERE s.run = :run;

-- name: keep_result
INSERT INTO result (key, trust, project, asset, version, parts, seconds, run, made_us)
VALUES (:key, :trust, :project, :asset, :version, :parts, :seconds, :run, :made_us)
ON CONFLICT (key, trust) DO UPDATE SET version = :version, parts = :parts, seconds = :seconds, run = :run, made_us = :made_us;

-- name: latest_result
SELECT key, version, parts, seconds, run, made_us FROM result
WHERE project = :project AND asset = :asset ORDER BY made_us DESC LIMIT 1;

-- name: latest_seconds
-- How long each asset of a project took when it was made last.
SELECT asset, seconds FROM result WHERE project = :project ORDER BY made_us;

-- name: outcomes
SELECT trust, body FROM outcome WHERE key = :key;

-- name: keep_outcome
INSERT INTO outcome (key, trust, project, check_name, body, run, made_us)
VALUES (:key, :trust, :project, :check_name, :body, :run, :made_us)
ON CONFLICT (key, trust) DO UPDATE SET body = :body, run = :run, made_us = :made_us;

-- name: descriptions
SELECT modules, body FROM description WHERE key = :key ORDER BY made_us DESC LIMIT 20;

-- name: keep_description
INSERT INTO description (key, modules, body, made_us) VALUES (:key, :modules, :body, :made_us)
ON CONFLICT (key, modules) DO UPDATE SET body = :body, made_us = :made_us;

-- name: module
SELECT pieces FROM module WHERE digest = :digest AND python = :python;

-- name: keep_module
INSERT INTO module (digest, python, pieces) VALUES (:digest, :python, :pieces) ON CONFLICT (digest, python) DO NOTHING;

-- name: unchanged
SELECT state, project, run, checks FROM unchanged WHERE tree = :tree;

-- name: keep_unchanged
INSERT INTO unchanged (tree, state, project, run, checks) VALUES (:tree, :state, :project, :run, :checks)
ON CONFLICT (tree) DO UPDATE SET state = :state, project = :project, run = :run, checks = :checks;

-- name: insert_unchanged_run
-- A run that found what another one has; it is of the same project, interpreter and trust.
INSERT INTO run (id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter, confined,
    process, steps_of, summary)
SELECT :id, project, (SELECT MAX(number) + 1 FROM run AS other WHERE other.project = run.project), :commit_id, :dirty, cause,
    :actor, trust, 'finished', :began, :now, interpreter, confined, NULL, :same_as, :summary
FROM run WHERE id = :same_as
RETURNING number;

-- name: file_stats
SELECT path, mark, digest FROM file_stat WHERE tree = :tree;

-- name: keep_file_stat
INSERT INTO file_stat (tree, path, mark, digest) VALUES (:tree, :path, :mark, :digest)
ON CONFLICT (tree, path) DO UPDATE SET mark = :mark, digest = :digest;

-- name: forget_file_stat
DELETE FROM file_stat WHERE tree = :tree AND path = :path;

-- name: runs_before
-- A page of a project's runs, the last one first.
SELECT id, project, number, commit_id, dirty, cause, actor, trust, state, started_us, ended_us, interpreter, confined, steps_of,
    summary
FROM run WHERE project = :project AND number < :before ORDER BY number DESC LIMIT :most;

-- name: parts_of_run
-- What the keys of a run's steps were made of.
SELECT s.step, r.parts FROM run_step s JOIN result r ON r.key = s.key WHERE s.run = :run;

-- name: parts_of_key
-- What a key was made of, whoever made it.
SELECT parts FROM result WHERE key = :key LIMIT 1;

-- name: results_of_project
-- What every step of a project has made, oldest first: what was made of which version.
SELECT asset, key, trust, version, parts, seconds, run, made_us FROM result WHERE project = :project ORDER BY made_us, key, trust;

-- name: result_of_key
SELECT asset, key, trust, version, parts, seconds, run, made_us FROM result WHERE key = :key ORDER BY made_us, trust;

-- name: seen_in
-- The runs that have a version of an asset, the first one first.
SELECT run.id, run_step.version FROM run_step JOIN run ON run.id = run_step.run
WHERE run_step.digest = :digest AND run_step.step = :step AND run.project = :project ORDER BY run.number LIMIT 1;

-- name: versions_by_prefix
-- Versions of an asset whose digest begins so; two are enough to see that it is not one.
SELECT run_step.digest, MAX(run.number) AS number FROM run_step JOIN run ON run.id = run_step.run
WHERE run_step.step = :step AND run.project = :project AND run_step.digest LIKE :prefix
GROUP BY run_step.digest ORDER BY 2 DESC LIMIT 2;

-- name: profile
SELECT object FROM profile WHERE version = :version AND private = :private;

-- name: keep_profile
INSERT INTO profile (version, private, object) VALUES (:version, :private, :object)
ON CONFLICT (version, private) DO UPDATE SET object = :object;
