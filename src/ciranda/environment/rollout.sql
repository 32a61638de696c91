-- name: rollout
SELECT rollout.*, revision.rollout AS rules, revision.state AS revision_state
FROM rollout JOIN revision ON revision.id = rollout.revision WHERE rollout.revision = :revision;

-- name: rollouts
-- The rollouts of an environment, newest first.
SELECT rollout.*, revision.rollout AS rules, revision.state AS revision_state
FROM rollout JOIN revision ON revision.id = rollout.revision
WHERE revision.project = :project AND revision.environment = :environment ORDER BY revision.number DESC LIMIT :most;

-- name: carried_on
-- How far the same content was when another scale took its place.
SELECT rollout.* FROM rollout JOIN revision ON revision.id = rollout.revision
WHERE revision.project = :project AND revision.environment = :environment AND revision.number = :number
    AND revision.state = 'superseded' AND revision.release = :release AND revision.config = :config AND revision.secrets = :secrets;

-- name: insert_rollout
INSERT INTO rollout (revision, against, state, step, actor, reason, ways, services, began_us, stepped_us, looked_us, ended_us)
VALUES (:revision, :against, :state, :step, :actor, :reason, :ways, :services, :began_us, :stepped_us, :looked_us, :ended_us)
ON CONFLICT DO NOTHING;

-- name: keep_rollout
-- Only on top of what it was made of: a person may have spoken meanwhile, or a newer target taken its place.
UPDATE rollout SET state = :state, step = :step, actor = :actor, reason = :reason, ways = :ways, services = :services, stepped_us = :stepped_us,
    looked_us = :looked_us, ended_us = :ended_us
WHERE revision = :revision AND state = :was AND step = :was_step AND stepped_us = :was_stepped_us
    AND EXISTS (SELECT 1 FROM revision WHERE revision.id = rollout.revision AND revision.state = 'target');
