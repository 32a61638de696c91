-- name: next_number
-- Take the next number of a repository's changes.
INSERT INTO change_counter (repository, number) VALUES (:repository, 1)
ON CONFLICT (repository) DO UPDATE SET number = change_counter.number + 1
RETURNING number;

-- name: insert_change
-- Record a change; one unsettled row for each (repository, ref, base, head).
INSERT INTO change (id, number, repository, project, ref, base, head, subject, actor, accepts, state, reason, run, outcome, release, recorded_us, ended_us, kind, pins)
VALUES (:id, :number, :repository, :project, :ref, :base, :head, :subject, :actor, :accepts, 'recorded', '', NULL, '{}', NULL, :recorded_us, NULL, :kind, :pins)
ON CONFLICT DO NOTHING;

-- name: same_change
-- The unsettled change of the very same push.
SELECT * FROM change WHERE repository = :repository AND ref = :ref AND base = :base AND head = :head AND kind = 'push' AND ended_us IS NULL;

-- name: waiting_change
-- Somebody's change of a branch whose gate is still open.
SELECT * FROM change WHERE repository = :repository AND ref = :ref AND actor = :actor AND kind = 'push' AND state IN ('recorded', 'judging', 'asking') LIMIT 1;

-- name: change_by_id
SELECT * FROM change WHERE id = :id;

-- name: change_of_run
-- The change that a run judged.
SELECT * FROM change WHERE run = :run LIMIT 1;

-- name: open_changes
-- Every change that is not at its end, oldest first.
SELECT * FROM change WHERE ended_us IS NULL ORDER BY recorded_us, id;

-- name: latest_changes
-- The newest changes of a project, newest first.
SELECT * FROM change WHERE project = :project ORDER BY recorded_us DESC, id DESC LIMIT :most;

-- name: last_merged
-- The change that a protected branch stands at.
SELECT * FROM change WHERE project = :project AND head = :head AND state IN ('merged', 'delivering', 'settled') ORDER BY recorded_us DESC LIMIT 1;

-- name: move_change
-- One step of a change; the state it leaves must be the one that was seen, so that two advancers cannot both take it.
UPDATE change SET state = :state, reason = :reason, run = COALESCE(:run, run), outcome = COALESCE(:outcome, outcome),
    release = COALESCE(:release, release), ended_us = :ended_us
WHERE id = :id AND state = :seen;

-- name: claim_project
-- A project's name belongs to the first repository that pushes it.
INSERT INTO project (name, repository, branch, at_us) VALUES (:name, :repository, :branch, :at_us) ON CONFLICT (name) DO NOTHING;

-- name: project_by_name
SELECT * FROM project WHERE name = :name;

-- name: projects
SELECT * FROM project ORDER BY name;

-- name: project_of_repository
-- The project that a repository holds, with its protected branch.
SELECT * FROM project WHERE repository = :repository ORDER BY at_us LIMIT 1;

-- name: changes_before
-- A page of a project's changes, newest first.
SELECT * FROM change WHERE project = :project AND number < :before ORDER BY number DESC LIMIT :most;

-- name: change_by_number
SELECT * FROM change WHERE project = :project AND number = :number;

-- name: change_counts
-- How many changes there are, by project and state.
SELECT project, state, COUNT(*) AS changes FROM change GROUP BY project, state;

-- name: open_data_change
-- The change of new data whose gate is still open.
SELECT * FROM change WHERE project = :project AND kind = 'data' AND state IN ('recorded', 'judging', 'asking', 'passed', 'merging') LIMIT 1;

-- name: last_data_change
-- The newest change of new data.
SELECT * FROM change WHERE project = :project AND kind = 'data' ORDER BY recorded_us DESC, id DESC LIMIT 1;

-- name: judge_again
-- A change goes back to its beginning: what it was judged on has moved on.
UPDATE change SET state = 'recorded', base = :base, head = :head, outcome = '{}' WHERE id = :id AND state = :seen;

-- name: pins
-- The references that a project's protected branch last passed with.
SELECT source, place, version, change FROM pin WHERE project = :project ORDER BY source;

-- name: forget_pins
DELETE FROM pin WHERE project = :project;

-- name: keep_pin
INSERT INTO pin (project, source, place, version, change) VALUES (:project, :source, :place, :version, :change);

-- name: source_looks
SELECT source, looked_us FROM source_look WHERE project = :project;

-- name: keep_source_look
INSERT INTO source_look (project, source, looked_us) VALUES (:project, :source, :looked_us)
ON CONFLICT (project, source) DO UPDATE SET looked_us = :looked_us;
