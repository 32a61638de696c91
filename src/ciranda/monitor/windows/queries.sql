-- References, looks and episodes of drift.

-- name: references
SELECT * FROM drift_reference
WHERE project = :project AND subject = :subject AND release = :release AND environment IN ('', :environment)
ORDER BY kind, source;

-- name: keep_reference
INSERT INTO drift_reference (project, environment, subject, release, kind, source, object, row_count, until_us, made_us)
VALUES (:project, :environment, :subject, :release, :kind, :source, :object, :row_count, :until_us, :made_us)
ON CONFLICT (project, environment, subject, release, kind, source) DO NOTHING;

-- name: latest_batch
SELECT * FROM prediction_batch
WHERE project = :project AND environment = :environment AND service = :service AND release = :release AND kind = 'predictions'
    AND row_count > 0
ORDER BY until_us DESC, id DESC LIMIT 1;

-- name: newest_batch
-- When something of a release was last collected, and how much there is.
SELECT COALESCE(MAX(made_us), 0) AS made_us, COALESCE(SUM(row_count), 0) AS row_count FROM prediction_batch
WHERE project = :project AND environment = :environment AND service = :service AND release = :release AND kind = 'predictions';

-- name: of_release
-- Batches of a release since a time, the oldest first.
SELECT * FROM prediction_batch
WHERE project = :project AND environment = :environment AND service = :service AND kind = 'predictions' AND release = :release
    AND row_count > 0 AND until_us >= :since_us
ORDER BY until_us, id;

-- name: profiled
UPDATE prediction_batch SET profile = :profile WHERE id = :id;

-- name: keep_look
INSERT INTO drift_look (project, environment, subject, span, part, release, reference, from_us, until_us, row_count, at_us, body)
VALUES (:project, :environment, :subject, :span, :part, :release, :reference, :from_us, :until_us, :row_count, :at_us, :body)
ON CONFLICT (project, environment, subject, span, part) DO UPDATE SET release = excluded.release, reference = excluded.reference,
    from_us = excluded.from_us, until_us = excluded.until_us, row_count = excluded.row_count, at_us = excluded.at_us, body = excluded.body;

-- name: drop_looks
-- The looks of other releases: their windows are not those of what answers now.
DELETE FROM drift_look
WHERE project = :project AND environment = :environment AND subject = :subject AND release <> :release;

-- name: looks
SELECT * FROM drift_look
WHERE project = :project AND environment = :environment AND (CAST(:subject AS TEXT) = '' OR subject = :subject)
ORDER BY subject, span, part;

-- name: open_episodes
SELECT * FROM drift_episode WHERE project = :project AND environment = :environment AND subject = :subject AND over_us IS NULL
ORDER BY column_name;

-- name: ended
-- When the last episode of each column was over.
SELECT column_name, MAX(over_us) AS over_us FROM drift_episode
WHERE project = :project AND environment = :environment AND subject = :subject AND over_us IS NOT NULL
GROUP BY column_name;

-- name: episodes
-- The episodes of an environment, the newest first.
SELECT * FROM drift_episode
WHERE project = :project AND (CAST(:environment AS TEXT) = '' OR environment = :environment)
    AND (CAST(:subject AS TEXT) = '' OR subject = :subject)
ORDER BY found_us DESC, column_name LIMIT :most;

-- name: insert_episode
INSERT INTO drift_episode (id, project, environment, subject, column_name, release, span, part, check_name, measure, value, floor,
    row_count, reference, text, since_us, found_us, seen_us, over_us)
VALUES (:id, :project, :environment, :subject, :column_name, :release, :span, :part, :check_name, :measure, :value, :floor,
    :row_count, :reference, :text, :since_us, :found_us, :seen_us, :over_us)
ON CONFLICT DO NOTHING;

-- name: see_episode
UPDATE drift_episode SET release = :release, span = :span, part = :part, check_name = :check_name, measure = :measure, value = :value,
    floor = :floor, row_count = :row_count, reference = :reference, text = :text, seen_us = :seen_us
WHERE id = :id AND over_us IS NULL;

-- name: end_episode
UPDATE drift_episode SET over_us = :over_us WHERE id = :id AND over_us IS NULL;
