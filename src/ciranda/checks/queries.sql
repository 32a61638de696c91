-- name: find_pass
-- An earlier pass of a code check.
SELECT summary FROM code_pass WHERE key = :key;

-- name: keep_pass
-- Remember a pass; two processes may find the same one.
INSERT INTO code_pass (key, summary, at_us) VALUES (:key, :summary, :at_us) ON CONFLICT (key) DO NOTHING;

-- name: failures
-- How often a code check failed on one key.
SELECT failures FROM code_failure WHERE key = :key;

-- name: count_failure
INSERT INTO code_failure (key, failures, last_us) VALUES (:key, 1, :last_us)
ON CONFLICT (key) DO UPDATE SET failures = code_failure.failures + 1, last_us = :last_us;

-- name: forget_verdicts
-- A change that is judged again starts afresh.
DELETE FROM verdict WHERE change = :change;

-- name: keep_verdict
-- One verdict of a change; `body` is the whole record as canonical JSON.
INSERT INTO verdict (change, place, name, subject, judgement, body)
VALUES (:change, :place, :name, :subject, :judgement, :body);

-- name: verdicts_of
-- All verdicts of a change, in order.
SELECT body FROM verdict WHERE change = :change ORDER BY place;
