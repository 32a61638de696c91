-- name: set_freeze
UPDATE environment SET frozen = :windows WHERE project = :project AND name = :name AND frozen <> :windows;

-- name: insert_emergency
INSERT INTO emergency (revision, project, environment, number, release, plan, reason, passed, actor, at_us, reviewer, note, reviewed_us)
VALUES (:revision, :project, :environment, :number, :release, :plan, :reason, :passed, :actor, :at_us, '', '', NULL)
ON CONFLICT (revision) DO NOTHING;

-- name: emergency
SELECT * FROM emergency WHERE project = :project AND environment = :environment AND number = :number;

-- name: unreviewed
-- What waits for a review, of one environment or (empty) of all of a project, the first one first.
SELECT * FROM emergency
WHERE project = :project AND (CAST(:environment AS TEXT) = '' OR environment = :environment) AND reviewed_us IS NULL
ORDER BY at_us, revision;

-- name: review_emergency
UPDATE emergency SET reviewer = :actor, note = :note, reviewed_us = :at_us
WHERE revision = :revision AND reviewed_us IS NULL;
