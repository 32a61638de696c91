-- name: last_state
-- The newest state of an environment.
SELECT * FROM infra_state WHERE project = :project AND environment = :environment ORDER BY serial DESC LIMIT 1;

-- name: state_by_serial
SELECT * FROM infra_state WHERE project = :project AND environment = :environment AND serial = :serial;

-- name: states
-- The states of an environment, newest first.
SELECT * FROM infra_state WHERE project = :project AND environment = :environment ORDER BY serial DESC LIMIT :most;

-- name: insert_state
INSERT INTO infra_state (project, environment, serial, lineage, number, object, resources, run, actor, at_us)
VALUES (:project, :environment, :serial, :lineage, :number, :object, :resources, :run, :actor, :at_us);

-- name: drop_states
-- States older than those that are kept.
DELETE FROM infra_state WHERE project = :project AND environment = :environment AND serial <= :serial;

-- name: lock
SELECT * FROM infra_lock WHERE project = :project AND environment = :environment;

-- name: insert_lock
-- The first one has it.
INSERT INTO infra_lock (project, environment, id, info, run, actor, at_us)
VALUES (:project, :environment, :id, :info, :run, :actor, :at_us) ON CONFLICT DO NOTHING;

-- name: drop_lock
DELETE FROM infra_lock WHERE project = :project AND environment = :environment AND id = :id;

-- name: drop_lock_of_run
-- What a run left locked when it died.
DELETE FROM infra_lock WHERE run = :run;

-- name: insert_run
-- One that changes things in an environment at a time; one that looks for each question.
INSERT INTO infra_run (id, project, environment, kind, destroy, question, release, revision, plan, actor, state, task, token, began_us, serial, reason, body, queued_us, ended_us)
VALUES (:id, :project, :environment, :kind, :destroy, :question, :release, :revision, :plan, :actor, 'waiting', NULL, '', NULL, NULL, '', '{}', :queued_us, NULL)
ON CONFLICT DO NOTHING;

-- name: run
SELECT * FROM infra_run WHERE id = :id;

-- name: looking_run
-- What is being asked already.
SELECT * FROM infra_run WHERE project = :project AND environment = :environment AND kind = :kind AND question = :question
    AND state IN ('waiting', 'running');

-- name: changing_run
-- What changes the infrastructure of an environment now.
SELECT * FROM infra_run WHERE project = :project AND environment = :environment AND kind = 'apply' AND state IN ('waiting', 'running');

-- name: last_asked
-- The newest run that asked a question, whatever came of it.
SELECT * FROM infra_run WHERE project = :project AND environment = :environment AND kind = :kind AND question = :question
ORDER BY queued_us DESC, id DESC LIMIT 1;

-- name: runs
-- What was done to the infrastructure of an environment, newest first.
SELECT * FROM infra_run WHERE project = :project AND environment = :environment ORDER BY queued_us DESC, id DESC LIMIT :most;

-- name: unqueued_runs
-- Runs that wait for their turn, with what they wait for.
SELECT infra_run.*, revision.state AS revision_state FROM infra_run LEFT JOIN revision ON revision.id = infra_run.revision
WHERE infra_run.state = 'waiting' AND infra_run.task IS NULL;

-- name: queue_run
UPDATE infra_run SET task = :task WHERE id = :id AND state = 'waiting' AND task IS NULL;

-- name: start_run
-- Its Terraform is known by this password from now on.
UPDATE infra_run SET state = 'running', token = :token WHERE id = :id AND state IN ('waiting', 'running');

-- name: begin_run
-- From here on things change.
UPDATE infra_run SET began_us = :at_us WHERE id = :id AND state = 'running' AND began_us IS NULL;

-- name: end_run
UPDATE infra_run SET state = :state, plan = COALESCE(:plan, plan), serial = :serial, reason = :reason, body = :body, ended_us = :at_us, token = ''
WHERE id = :id AND state IN ('waiting', 'running');

-- name: keep_plan
-- The same answer to the same question is the same plan: the older file does the same.
INSERT INTO infra_plan (id, project, environment, question, body, file, run, made_us)
VALUES (:id, :project, :environment, :question, :body, :file, :run, :made_us)
ON CONFLICT (id) DO UPDATE SET run = EXCLUDED.run, made_us = EXCLUDED.made_us;

-- name: plan
SELECT * FROM infra_plan WHERE id = :id;

-- name: plan_of_question
-- The newest answer to a question.
SELECT * FROM infra_plan WHERE project = :project AND environment = :environment AND question = :question
ORDER BY made_us DESC, id LIMIT 1;

-- name: drop_plans
-- Plans of questions that nobody asks any more: the state is another one.
DELETE FROM infra_plan WHERE project = :project AND environment = :environment AND made_us < :before_us;

-- name: place
SELECT * FROM infra_place WHERE project = :project AND environment = :environment;

-- name: places
SELECT * FROM infra_place ORDER BY project, environment;

-- name: put_place
INSERT INTO infra_place (project, environment, release, folder, digest, question, serial, resources, outputs, applied_us, checked_us, drifted_us, drift)
VALUES (:project, :environment, :release, :folder, :digest, :question, :serial, :resources, :outputs, :at_us, NULL, NULL, '[]')
ON CONFLICT (project, environment) DO UPDATE SET release = EXCLUDED.release, folder = EXCLUDED.folder, digest = EXCLUDED.digest,
    question = EXCLUDED.question, serial = EXCLUDED.serial, resources = EXCLUDED.resources, outputs = EXCLUDED.outputs, applied_us = EXCLUDED.applied_us;

-- name: drop_place
-- Nothing of it is left.
DELETE FROM infra_place WHERE project = :project AND environment = :environment;

-- name: put_drift
UPDATE infra_place SET checked_us = :checked_us, drifted_us = :drifted_us, drift = :drift
WHERE project = :project AND environment = :environment;

-- name: complete_revision
-- What a target's infrastructure gave it, before anything of it starts.
UPDATE revision SET config = :config, secrets = :secrets, infra = :infra WHERE id = :id AND state = 'target';
