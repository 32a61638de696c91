-- Alerts and silences.

-- name: open_alerts
-- What pends or fires: everywhere, in a project, or in one environment.
SELECT * FROM alert WHERE state <> 'resolved' AND (CAST(:project AS TEXT) = '' OR project = :project)
    AND (CAST(:environment AS TEXT) = '' OR environment = :environment)
ORDER BY since_us, id;

-- name: alerts_before
-- The alerts of a project that fired, newest first.
SELECT * FROM alert WHERE project = :project AND fired_us IS NOT NULL AND since_us < :before
ORDER BY since_us DESC, id LIMIT :most;

-- name: alerts_by_prefix
SELECT * FROM alert WHERE project = :project AND id LIKE :prefix AND fired_us IS NOT NULL ORDER BY since_us DESC LIMIT 2;

-- name: firing_counts
-- How many alerts fire, by severity.
SELECT severity, COUNT(*) AS alerts FROM alert WHERE state = 'firing' AND project = :project GROUP BY severity;

-- name: put_alert
INSERT INTO alert (id, project, environment, rule, service, part, release, metric, state, severity, owner, runbook, value, text, since_us,
    seen_us, fired_us, told_us, under_us, resolved_us, reason, source, acked_by, acked_us, note)
VALUES (:id, :project, :environment, :rule, :service, :part, :release, :metric, :state, :severity, :owner, :runbook, :value, :text, :since_us,
    :seen_us, :fired_us, :told_us, :under_us, :resolved_us, :reason, :source, :acked_by, :acked_us, :note)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, release = excluded.release, severity = excluded.severity, value = excluded.value,
    text = excluded.text, seen_us = excluded.seen_us, fired_us = excluded.fired_us, told_us = excluded.told_us, under_us = excluded.under_us,
    resolved_us = excluded.resolved_us, reason = excluded.reason;

-- name: drop_alert
DELETE FROM alert WHERE id = :id AND fired_us IS NULL;

-- name: acknowledge
UPDATE alert SET acked_by = :by, acked_us = :at_us, note = :note WHERE id = :id AND state = 'firing';

-- name: put_silence
INSERT INTO silence (id, project, environment, rule, service, reason, actor, from_us, until_us)
VALUES (:id, :project, :environment, :rule, :service, :reason, :actor, :from_us, :until_us);

-- name: silences
-- Silences that have not ended.
SELECT * FROM silence WHERE project = :project AND until_us > :now_us ORDER BY until_us, id;

-- name: end_silence
UPDATE silence SET until_us = :now_us WHERE project = :project AND id = :id AND until_us > :now_us;

-- name: last_event
-- The newest event of all.
SELECT COALESCE(MAX(seq), 0) AS seq FROM event;
