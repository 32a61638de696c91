-- What services predicted, and what was said of it.

-- name: insert_batch
INSERT INTO prediction_batch (id, kind, project, environment, service, release, from_us, until_us, row_count, dropped, object, profile,
    made_us, expires_us)
VALUES (:id, :kind, :project, :environment, :service, :release, :from_us, :until_us, :row_count, :dropped, :object, :profile,
    :made_us, :expires_us);

-- name: insert_segment
INSERT INTO prediction_segment (project, environment, service, segment, at_us)
VALUES (:project, :environment, :service, :segment, :at_us)
ON CONFLICT DO NOTHING;

-- name: segments
SELECT segment, at_us FROM prediction_segment
WHERE project = :project AND environment = :environment AND service = :service;

-- name: forget_segment
DELETE FROM prediction_segment
WHERE project = :project AND environment = :environment AND service = :service AND segment = :segment;

-- name: batches
-- The batches of a service that hold something of a time, the newest first.
SELECT * FROM prediction_batch
WHERE project = :project AND environment = :environment AND service = :service AND kind = :kind
    AND until_us >= :since_us AND from_us <= :until_us
ORDER BY until_us DESC, id DESC;

-- name: services
-- The services that kept something: by environment and release, since when and until when, and how much.
SELECT environment, service, release, kind, MIN(from_us) AS from_us, MAX(until_us) AS until_us, SUM(row_count) AS row_count,
    SUM(dropped) AS dropped
FROM prediction_batch
WHERE project = :project AND (CAST(:environment AS TEXT) = '' OR environment = :environment)
GROUP BY environment, service, release, kind
ORDER BY environment, service, release, kind;

-- name: kept_services
-- Every service that kept something since a time.
SELECT DISTINCT project, environment, service FROM prediction_batch WHERE until_us >= :since_us
ORDER BY project, environment, service;

-- name: expire
DELETE FROM prediction_batch WHERE expires_us <= :now_us;

-- name: drop_batch
DELETE FROM prediction_batch WHERE id = :id;

-- name: crowded
-- Releases of services with many batches that nobody adds to any more.
SELECT kind, project, environment, service, release, COUNT(*) AS batches FROM prediction_batch
WHERE until_us < :before_us AND row_count < :most
GROUP BY kind, project, environment, service, release HAVING COUNT(*) > :few;

-- name: settled
-- Such batches of one release, the oldest first.
SELECT * FROM prediction_batch
WHERE kind = :kind AND project = :project AND environment = :environment AND service = :service AND release = :release
    AND until_us < :before_us AND row_count < :most
ORDER BY from_us, id LIMIT :limit;
