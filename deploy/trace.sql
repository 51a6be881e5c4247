-- name: find_ledger
-- What the ledger says of an event.
SELECT * FROM events WHERE event_id = $1 ORDER BY applied_at, occurred_at

-- name: find_letters
-- The dead letters of an event, the oldest first.
SELECT * FROM dead_letters WHERE event_id = $1 ORDER BY dead_at, topic, partition, "offset"

-- name: find_operations
-- The operations that took letters of an event last. What they asked for may name others.
SELECT id, action, operator, planned, done, started_at, finished_at FROM operations
WHERE id IN (SELECT operation_id FROM dead_letters WHERE event_id = $1)
ORDER BY started_at, id
