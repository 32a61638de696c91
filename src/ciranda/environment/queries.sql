-- name: ensure_environment
-- An environment exists from the first time that anything names it.
INSERT INTO environment (project, name, held, held_reason, held_by, held_us, created_us)
VALUES (:project, :name, 0, '', '', NULL, :created_us) ON CONFLICT DO NOTHING;

-- name: environment
SELECT * FROM environment WHERE project = :project AND name = :name;

-- name: environments
-- Every environment of the home, or of one project.
SELECT * FROM environment WHERE CAST(:project AS TEXT) = '' OR project = :project ORDER BY project, created_us, name;

-- name: set_hold
UPDATE environment SET held = :held, held_reason = :reason, held_by = :by, held_us = :at_us
WHERE project = :project AND name = :name AND held <> :held;

-- name: last_revision
SELECT COALESCE(MAX(number), 0) AS number FROM revision WHERE project = :project AND environment = :environment;

-- name: insert_revision
INSERT INTO revision (id, project, environment, number, release, config, secrets, infra, instances, verify, cause, actor, state, reason, bad, created_us, routed_us, ended_us, verification, rollout)
VALUES (:id, :project, :environment, :number, :release, :config, :secrets, :infra, :instances, :verify, :cause, :actor, 'target', '', 0, :created_us, NULL, NULL, NULL, :rollout);

-- name: supersede
-- A newer target takes the place of an unfinished one.
UPDATE revision SET state = 'superseded', reason = :reason, ended_us = :ended_us
WHERE project = :project AND environment = :environment AND state = 'target';

-- name: target_revision
SELECT * FROM revision WHERE project = :project AND environment = :environment AND state = 'target';

-- name: live_revision
-- What an environment runs: the last one that was reached.
SELECT * FROM revision WHERE project = :project AND environment = :environment AND state = 'reached' ORDER BY number DESC LIMIT 1;

-- name: reached_since
-- Revisions that were reached, newest first, down to the one that the oldest of them replaced.
SELECT * FROM revision WHERE project = :project AND environment = :environment AND state = 'reached'
    AND number >= (SELECT COALESCE(MAX(number), 0) FROM revision
        WHERE project = :project AND environment = :environment AND state = 'reached' AND ended_us <= :since_us)
ORDER BY number DESC;

-- name: way_back
-- Revisions that a rollback may copy, the best first: reached, of a release older than what runs, not marked bad, not an end.
SELECT revision.* FROM revision JOIN release ON release.id = revision.release
WHERE revision.project = :project AND revision.environment = :environment AND revision.state = 'reached'
    AND revision.bad = 0 AND revision.cause <> 'destroy' AND release.number < :newer
ORDER BY revision.number DESC LIMIT 1;

-- name: reached_of_release
-- The last reached revision of one release.
SELECT * FROM revision WHERE project = :project AND environment = :environment AND state = 'reached' AND release = :release AND cause <> 'destroy'
ORDER BY number DESC LIMIT 1;

-- name: last_of_release
-- The newest revision of one release, whatever became of it.
SELECT * FROM revision WHERE project = :project AND environment = :environment AND release = :release AND cause <> 'destroy'
ORDER BY number DESC LIMIT 1;

-- name: revision_by_id
SELECT * FROM revision WHERE id = :id;

-- name: revision_by_number
SELECT * FROM revision WHERE project = :project AND environment = :environment AND number = :number;

-- name: history
-- The revisions of an environment, newest first.
SELECT * FROM revision WHERE project = :project AND environment = :environment ORDER BY number DESC LIMIT :most;

-- name: mark_routed
UPDATE revision SET routed_us = :at_us WHERE id = :id AND state = 'target' AND routed_us IS NULL;

-- name: mark_verifying
UPDATE revision SET verification = :task WHERE id = :id AND state = 'target';

-- name: mark_ended
-- The one end of a revision: whoever superseded it meanwhile wins.
UPDATE revision SET state = :state, reason = :reason, bad = :bad, ended_us = :ended_us WHERE id = :id AND state = 'target';

-- name: mark_bad
-- What a rollback leaves is not what a later one goes back to.
UPDATE revision SET bad = 1 WHERE project = :project AND environment = :environment AND release = :release;

-- name: keep_specification
INSERT INTO specification (digest, project, environment, service, release, created_us)
VALUES (:digest, :project, :environment, :service, :release, :created_us) ON CONFLICT DO NOTHING;

-- name: specifications
-- Every specification that was ever started for an environment.
SELECT digest, service, release FROM specification WHERE project = :project AND environment = :environment;

-- name: ask_to_end
-- Recorded before an instance is told to stop, so that its exit is not taken for a crash.
INSERT INTO ending (instance, spec, asked_us, started_us, exited_us, exit) VALUES (:instance, :spec, :at_us, :started_us, NULL, '')
ON CONFLICT (instance) DO NOTHING;

-- name: record_exit
-- An exit that nobody asked for, once.
INSERT INTO ending (instance, spec, asked_us, started_us, exited_us, exit) VALUES (:instance, :spec, NULL, :started_us, :at_us, :exit)
ON CONFLICT (instance) DO NOTHING;

-- name: endings
-- What ended lately, or was asked to and may not have ended yet, of an environment's specifications.
SELECT ending.* FROM ending JOIN specification ON specification.digest = ending.spec
WHERE specification.project = :project AND specification.environment = :environment
    AND (ending.exited_us IS NULL OR ending.exited_us > :since_us);

-- name: drop_ending
-- An instance that was asked to end is gone and forgotten.
DELETE FROM ending WHERE instance = :instance AND asked_us IS NOT NULL;

-- name: exits_since
-- Crashes of an environment's instances, oldest first.
SELECT specification.service, specification.release, ending.instance, ending.exited_us, ending.exit
FROM ending JOIN specification ON specification.digest = ending.spec
WHERE specification.project = :project AND specification.environment = :environment AND ending.exited_us > :since_us
ORDER BY ending.exited_us;

-- name: revisions_before
-- A page of an environment's revisions, newest first.
SELECT * FROM revision WHERE project = :project AND environment = :environment AND number < :before
ORDER BY number DESC LIMIT :most;

-- name: revisions_of_release
-- Where a release was to run, newest first.
SELECT * FROM revision WHERE release = :release ORDER BY created_us DESC, id DESC LIMIT :most;

-- name: put_setting
INSERT INTO setting (project, environment, name, value, actor, at_us)
VALUES (:project, :environment, :name, :value, :actor, :at_us)
ON CONFLICT (project, environment, name) DO UPDATE SET value = excluded.value, actor = excluded.actor, at_us = excluded.at_us;

-- name: drop_setting
DELETE FROM setting WHERE project = :project AND environment = :environment AND name = :name;

-- name: settings
-- The server's layer of an environment.
SELECT name, value, actor, at_us FROM setting WHERE project = :project AND environment = :environment ORDER BY name;

-- name: insert_secret
INSERT INTO secret (project, environment, name, version, sealed, actor, at_us)
VALUES (:project, :environment, :name, :version, :sealed, :actor, :at_us);

-- name: secret
SELECT sealed FROM secret WHERE project = :project AND environment = :environment AND name = :name AND version = :version;

-- name: secrets
-- The newest version of each secret of an environment.
SELECT name, version, actor, at_us FROM secret
WHERE project = :project AND environment = :environment AND version = (SELECT MAX(version) FROM secret AS other
    WHERE other.project = secret.project AND other.environment = secret.environment AND other.name = secret.name)
ORDER BY name;

-- name: secrets_of_project
-- Every version of every secret of a project, to be masked wherever something of the project writes.
SELECT environment, name, version, sealed FROM secret WHERE project = :project ORDER BY environment, name, version;

-- name: any_secret
-- Whether anything was ever sealed here.
SELECT name FROM secret UNION ALL SELECT object FROM infra_state UNION ALL SELECT file FROM infra_plan LIMIT 1;

-- name: keep_plan
INSERT INTO plan (digest, project, environment, base, release, body, actor, created_us, asked_us)
VALUES (:digest, :project, :environment, :base, :release, :body, :actor, :created_us, NULL) ON CONFLICT DO NOTHING;

-- name: ask_for_plan
-- A release waits for approvals of it, from now on.
UPDATE plan SET asked_us = :at_us WHERE digest = :digest AND asked_us IS NULL;

-- name: plans_by_prefix
-- Plans whose digest begins so; two rows are enough to see that it is not one.
SELECT * FROM plan WHERE digest LIKE :prefix ORDER BY digest LIMIT 2;

-- name: asked_plans
-- The plans of an environment that a release waits or waited for, newest first.
SELECT * FROM plan WHERE project = :project AND environment = :environment AND asked_us IS NOT NULL
ORDER BY asked_us DESC, digest LIMIT 20;

-- name: insert_approval
-- A user approves a plan once.
INSERT INTO approval (plan, actor, at_us) VALUES (:plan, :actor, :at_us) ON CONFLICT DO NOTHING;

-- name: approvals_of
SELECT * FROM approval WHERE plan = :plan ORDER BY at_us, actor;

-- name: revision_counts
-- How the revisions of an environment ended.
SELECT state, COUNT(*) AS revisions FROM revision WHERE project = :project AND environment = :environment GROUP BY state;

-- name: job_figures
-- How many runs of each job are in each state, and when the last of them ended.
SELECT project, environment, job, state, COUNT(*) AS runs, MAX(ended_us) AS ended_us FROM job_run
GROUP BY project, environment, job, state ORDER BY project, environment, job, state;

-- name: asked_for_release
-- Whether any entry of a release waits, or once waited, for approvals.
SELECT digest FROM plan WHERE release = :release AND asked_us IS NOT NULL LIMIT 1;

-- name: going_on
-- How far a target is that enters by steps.
SELECT state, step FROM rollout WHERE revision = :revision;
