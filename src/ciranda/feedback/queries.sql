-- Statements of notifications, incidents, items and delivery figures.

-- name: last_event
-- The newest event of all.
SELECT COALESCE(MAX(seq), 0) AS seq FROM event;

-- name: last_merge
-- The last time that the branch of a project moved: what was declared then tells of that change, too.
SELECT seq FROM event WHERE chain = :chain AND kind = 'change.merged' ORDER BY seq DESC LIMIT 1;

-- name: events_between
-- Facts of a project in a time. Identities sort by the time they were made (UUIDv7), and there is an index of them; COALESCE keeps
-- the planner from going through the whole chain instead.
SELECT seq, id, at_us, chain, kind, version, subject, actor, cause, body, previous, hash
FROM event WHERE id >= :since AND id < :until AND COALESCE(chain, '') = :chain ORDER BY id LIMIT :most;

-- name: reader
SELECT seq FROM reader WHERE name = :name;

-- name: move_reader
INSERT INTO reader (name, seq) VALUES (:name, :seq) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq;

-- name: channels
SELECT * FROM channel WHERE CAST(:project AS TEXT) = '' OR project = :project ORDER BY project, name;

-- name: begin_channel
INSERT INTO channel (project, name, declared, seq, until_seq, tries, retry_us, failing_us, problem, sent, dropped, sent_us)
VALUES (:project, :name, :declared, :seq, NULL, 0, NULL, NULL, '', 0, 0, NULL) ON CONFLICT (project, name) DO NOTHING;

-- name: renew_channel
-- It is another one now: whatever kept the former from being reached need not keep this one.
UPDATE channel SET declared = :declared, tries = 0, retry_us = NULL WHERE project = :project AND name = :name;

-- name: drop_channel
DELETE FROM channel WHERE project = :project AND name = :name;

-- name: pin_channel
-- The message that is sent now ends with this event.
UPDATE channel SET until_seq = :until_seq WHERE project = :project AND name = :name AND seq = :seq;

-- name: channel_sent
UPDATE channel SET seq = :until_seq, until_seq = NULL, tries = 0, retry_us = NULL, failing_us = NULL, problem = :problem,
    sent = sent + 1, dropped = dropped + :dropped, sent_us = :at_us
WHERE project = :project AND name = :name AND seq = :seq;

-- name: channel_failed
UPDATE channel SET tries = tries + 1, retry_us = :retry_us, failing_us = COALESCE(failing_us, :at_us), problem = :problem
WHERE project = :project AND name = :name AND seq = :seq;

-- name: channel_skipped
-- Facts that nobody will be told of any more.
UPDATE channel SET seq = :until_seq, until_seq = NULL, tries = 0, dropped = dropped + :dropped
WHERE project = :project AND name = :name AND seq = :seq;

-- name: last_incident
SELECT COALESCE(MAX(number), 0) AS number FROM incident WHERE project = :project;

-- name: insert_incident
INSERT INTO incident (id, project, number, environment, service, title, severity, owner, origin, state, opened_by, started_us,
    opened_us, resolved_by, resolved_us, reviewed_us, review)
VALUES (:id, :project, :number, :environment, :service, :title, :severity, :owner, :origin, 'open', :opened_by, :started_us,
    :opened_us, '', NULL, NULL, '');

-- name: incident_of_origin
SELECT * FROM incident WHERE project = :project AND origin = :origin AND state = 'open';

-- name: incident_by_number
SELECT * FROM incident WHERE project = :project AND number = :number;

-- name: incidents
-- The newest first; open ones alone if asked.
SELECT * FROM incident WHERE project = :project AND number < :before AND (:open = 0 OR state = 'open')
ORDER BY number DESC LIMIT :most;

-- name: incidents_since
-- Those that began in a time, whatever became of them.
SELECT * FROM incident WHERE project = :project AND environment = :environment AND started_us >= :since_us AND started_us < :until_us
ORDER BY started_us, number;

-- name: resolve_incident
UPDATE incident SET state = 'resolved', resolved_by = :actor, resolved_us = :at_us
WHERE project = :project AND number = :number AND state = 'open';

-- name: raise_incident
-- A worse alert of the same group makes it worse.
UPDATE incident SET severity = :severity WHERE id = :id;

-- name: review_incident
UPDATE incident SET review = :review, reviewed_us = :at_us WHERE project = :project AND number = :number;

-- name: insert_note
INSERT INTO incident_note (id, incident, at_us, actor, text) VALUES (:id, :incident, :at_us, :actor, :text);

-- name: notes
SELECT at_us, actor, text FROM incident_note WHERE incident = :incident ORDER BY at_us, id;

-- name: last_item
SELECT COALESCE(MAX(number), 0) AS number FROM item WHERE project = :project;

-- name: insert_item
INSERT INTO item (id, project, number, title, owner, incident, state, created_by, created_us, closed_by, closed_us, commit_sha)
VALUES (:id, :project, :number, :title, :owner, :incident, 'open', :created_by, :created_us, '', NULL, NULL);

-- name: item_by_number
SELECT * FROM item WHERE project = :project AND number = :number;

-- name: items
-- The newest first; open ones alone if asked.
SELECT * FROM item WHERE project = :project AND number < :before AND (:open = 0 OR state = 'open')
ORDER BY number DESC LIMIT :most;

-- name: items_of_incident
SELECT * FROM item WHERE incident = :incident ORDER BY number;

-- name: close_item
UPDATE item SET state = 'closed', closed_by = :actor, closed_us = :at_us, commit_sha = :commit
WHERE project = :project AND number = :number AND state = 'open';

-- name: entries
-- Revisions of an environment in order, with the change that each one's release came of.
SELECT revision.id, revision.number, revision.release, revision.cause, revision.state, revision.reason, revision.instances,
    revision.created_us, revision.routed_us, revision.ended_us, release.number AS release_number, release.digest,
    change.recorded_us
FROM revision JOIN release ON release.id = revision.release LEFT JOIN change ON change.id = release.change
WHERE revision.project = :project AND revision.environment = :environment ORDER BY revision.number;

-- name: refused_data
-- New data that its checks kept out.
SELECT number, reason, ended_us FROM change
WHERE project = :project AND kind = 'data' AND state = 'refused' AND ended_us >= :since_us AND ended_us < :until_us
    AND EXISTS (SELECT 1 FROM verdict WHERE verdict.change = change.id AND judgement IN ('fail', 'inconclusive'))
ORDER BY ended_us;

-- name: ended_jobs
-- Runs of jobs that came to an end, in order, and how many checks kept out what they made.
SELECT job_run.id, job_run.job, job_run.state, job_run.reason, job_run.release, job_run.ended_us,
    (SELECT COUNT(*) FROM verdict WHERE verdict.change = job_run.id AND judgement IN ('fail', 'inconclusive')) AS refused
FROM job_run WHERE project = :project AND environment = :environment AND state IN ('passed', 'failed') AND ended_us >= :since_us
ORDER BY ended_us;

-- name: worse_releases
-- Releases that were not let in, since their checks fail against what is live.
SELECT statement.body, statement.at_us, release.number, release.id AS release FROM statement JOIN release ON release.digest = statement.release
WHERE release.project = :project AND statement.kind = 'recheck' AND statement.at_us >= :since_us AND statement.at_us < :until_us
ORDER BY statement.at_us;
