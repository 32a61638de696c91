-- name: next_number
-- The next number of a counter; the row is locked until the end of the transaction, so that numbers are in commit order.
INSERT INTO counter (name, value) VALUES (:name, 1)
ON CONFLICT (name) DO UPDATE SET value = counter.value + 1
RETURNING value;

-- name: chain_head
SELECT seq, hash FROM chain WHERE name = :chain;

-- name: move_chain_head
INSERT INTO chain (name, seq, hash) VALUES (:chain, :seq, :hash)
ON CONFLICT (name) DO UPDATE SET seq = :seq, hash = :hash;

-- name: insert_event
INSERT INTO event (seq, id, at_us, chain, kind, version, subject, actor, cause, body, previous, hash)
VALUES (:seq, :id, :at_us, :chain, :kind, :version, :subject, :actor, :cause, :body, :previous, :hash);

-- name: events_after
SELECT seq, id, at_us, chain, kind, version, subject, actor, cause, body, previous, hash
FROM event WHERE seq > :seq ORDER BY seq LIMIT :limit;

-- name: events_before
SELECT seq, id, at_us, chain, kind, version, subject, actor, cause, body, previous, hash
FROM event WHERE seq < :seq ORDER BY seq DESC LIMIT :limit;

-- name: chain_events_after
SELECT seq, id, at_us, chain, kind, version, subject, actor, cause, body, previous, hash
FROM event WHERE chain = :chain AND seq > :seq ORDER BY seq LIMIT :limit;

-- name: insert_task
INSERT INTO task (id, kind, subject, body, state) VALUES (:id, :kind, :subject, :body, 'waiting')
ON CONFLICT (kind, subject) WHERE state IN ('waiting', 'claimed') DO NOTHING;

-- name: unfinished_task
SELECT id FROM task WHERE kind = :kind AND subject = :subject AND state IN ('waiting', 'claimed');

-- name: task
SELECT id, kind, subject, body, state, worker, fence, lease_us, attempts, result FROM task WHERE id = :id;

-- name: free_task
-- The oldest task of a kind that nobody holds; identities sort by the time they were made.
SELECT id FROM task
WHERE kind = :kind AND (state = 'waiting' OR (state = 'claimed' AND lease_us <= :now))
ORDER BY id LIMIT 1;

-- name: claim_task
UPDATE task SET state = 'claimed', worker = :worker, fence = fence + 1, lease_us = :until, attempts = attempts + 1
WHERE id = :id
RETURNING id, kind, subject, body, worker, fence, lease_us, attempts;

-- name: renew_task
UPDATE task SET lease_us = :until WHERE id = :id AND fence = :fence AND state = 'claimed';

-- name: finish_task
UPDATE task SET state = :state, result = :result WHERE id = :id AND fence = :fence AND state = 'claimed';

-- name: expired_tasks
SELECT id FROM task WHERE state = 'claimed' AND lease_us <= :now LIMIT 1;

-- name: release_expired_tasks
UPDATE task SET state = 'waiting' WHERE state = 'claimed' AND lease_us <= :now;

-- name: unfinished_tasks
SELECT kind, subject FROM task WHERE state IN ('waiting', 'claimed');

-- name: task_workers
SELECT DISTINCT worker FROM task WHERE state = 'claimed';

-- name: release_worker_tasks
UPDATE task SET state = 'waiting' WHERE state = 'claimed' AND worker = :worker;

-- name: acquire_lease
INSERT INTO lease (name, holder, fence, until_us) VALUES (:name, :holder, 1, :until)
ON CONFLICT (name) DO UPDATE SET holder = :holder, fence = lease.fence + 1, until_us = :until
WHERE lease.until_us <= :now OR lease.holder = :holder
RETURNING fence;

-- name: lease
SELECT holder, fence, until_us FROM lease WHERE name = :name;

-- name: renew_lease
UPDATE lease SET until_us = :until WHERE name = :name AND holder = :holder AND fence = :fence;

-- name: release_lease
-- The row stays, so that the fence goes on growing.
UPDATE lease SET until_us = 0, fence = fence + 1 WHERE name = :name AND holder = :holder AND fence = :fence;

-- name: held_lease
SELECT fence FROM lease WHERE name = :name AND holder = :holder AND fence = :fence;

-- name: task_counts
-- How many tasks there are, by kind and state.
SELECT kind, state, COUNT(*) AS tasks FROM task GROUP BY kind, state;

-- name: chains
-- Every chain of events with how many it has and when the last one was recorded.
SELECT chain, COUNT(*) AS events, MAX(at_us) AS last_us FROM event GROUP BY chain ORDER BY chain;

-- name: held_tasks
-- What some process has taken and not ended, oldest first.
SELECT id, kind, subject, worker, lease_us, attempts FROM task WHERE state = 'claimed' ORDER BY id;

-- name: given_up_tasks
-- Tasks that failed after several tries, newest first; identities sort by the time they were made.
SELECT id, kind, subject, attempts FROM task WHERE state = 'failed' AND attempts > 1 AND id > :since ORDER BY id DESC LIMIT 5;
