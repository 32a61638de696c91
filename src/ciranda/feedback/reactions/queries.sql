-- name: read_to
-- Up to where events have been read.
SELECT seq FROM reaction_reader WHERE name = 'reactions';

-- name: keep_read
INSERT INTO reaction_reader (name, seq) VALUES ('reactions', :seq)
ON CONFLICT (name) DO UPDATE SET seq = :seq WHERE reaction_reader.seq < :seq;

-- name: insert_reaction
-- One answer of one rule to one event; the number is the project's next one.
INSERT INTO reaction (id, project, number, environment, name, event, rule, what, state, why, asked, actor, led, at_us, ended_us)
SELECT :id, :project, COALESCE(MAX(number), 0) + 1, :environment, :name, :event, :rule, :what, :state, :why, :asked, :actor, '', :at_us, :ended_us
FROM reaction WHERE project = :project
ON CONFLICT DO NOTHING;

-- name: move_reaction
-- A step of a reaction; the state that it leaves must be the one that was seen.
UPDATE reaction SET state = :state, why = :why, actor = :actor, led = :led, ended_us = :ended_us
WHERE id = :id AND state = :seen;

-- name: reaction_numbered
SELECT * FROM reaction WHERE project = :project AND number = :number;

-- name: reactions_open
-- Those that wait: for a person, or to be acted.
SELECT * FROM reaction WHERE state IN ('asking', 'acting') ORDER BY at_us, id;

-- name: reactions_of_rule
-- What one rule did in one place, newest first, without what it let be.
SELECT * FROM reaction WHERE project = :project AND environment = :environment AND name = :name AND state <> 'skipped'
ORDER BY at_us DESC, number DESC LIMIT 100;

-- name: reactions_listed
-- The newest of a project, of one environment where it is named.
SELECT * FROM reaction WHERE project = :project AND (:environment = '' OR environment = :environment)
ORDER BY number DESC LIMIT :most;
