-- name: release_by_digest
-- The release of a project whose content this is.
SELECT * FROM release WHERE project = :project AND digest = :digest;

-- name: release_by_prefix
-- Releases of a project whose digest begins so; two rows are enough to see that it is not one.
SELECT * FROM release WHERE project = :project AND digest LIKE :prefix ORDER BY number LIMIT 2;

-- name: release_by_number
SELECT * FROM release WHERE project = :project AND number = :number;

-- name: release_by_id
SELECT * FROM release WHERE id = :id;

-- name: latest_releases
-- The newest releases of a project, newest first.
SELECT * FROM release WHERE project = :project ORDER BY number DESC LIMIT :most;

-- name: last_number
SELECT COALESCE(MAX(number), 0) AS number FROM release WHERE project = :project;

-- name: insert_release
INSERT INTO release (id, project, number, digest, manifest, commit_sha, change, created_us, author)
VALUES (:id, :project, :number, :digest, :manifest, :commit_sha, :change, :created_us, :author);

-- name: insert_statement
INSERT INTO statement (id, release, kind, body, actor, at_us) VALUES (:id, :release, :kind, :body, :actor, :at_us);

-- name: statements_of
-- What was said of a release, oldest first.
SELECT * FROM statement WHERE release = :release ORDER BY at_us, id;

-- name: releases_before
-- A page of a project's releases, newest first.
SELECT * FROM release WHERE project = :project AND number < :before ORDER BY number DESC LIMIT :most;
