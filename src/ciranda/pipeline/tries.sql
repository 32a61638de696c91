-- name: failures
-- How often a check failed on the inputs and the code of a key, and how often it passed on them.
SELECT COALESCE((SELECT failures FROM check_failure WHERE key = :key), 0) AS failed,
    (SELECT COUNT(*) FROM outcome WHERE key = :key) AS passed;

-- name: count_failure
INSERT INTO check_failure (key, failures, last_us) VALUES (:key, 1, :last_us)
ON CONFLICT (key) DO UPDATE SET failures = check_failure.failures + 1, last_us = :last_us;
