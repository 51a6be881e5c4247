-- name: lock_operation
-- Hold the operation $1 until the session ends; false where another session does.
SELECT pg_try_advisory_lock(hashtextextended('clerkwork operation ' || $1::text, 0))

-- name: find_unfinished
-- Operations on letters that run or have broken off, the oldest first.
SELECT id, action, planned, done FROM operations
WHERE finished_at IS NULL AND action IN ('replay', 'edit')
ORDER BY started_at, id

-- name: next_letters
-- Letters of the operation that are not dealt with yet, the oldest first: of one user, in the order
-- in which they were first read. That is nearly the order in Kafka, which is read in ranges.
SELECT topic, partition, "offset", event_id FROM dead_letters
WHERE operation_id = $1 AND state = 'replaying'
ORDER BY
    coalesce(first_failed_at, dead_at), source_topic, source_partition, source_offset,
    topic, partition, "offset"
LIMIT $2

-- name: settle_letters
-- Give letters of the operation their state, and count them as done.
WITH settled AS (
    UPDATE dead_letters AS letter SET state = $5
    FROM unnest($2::text[], $3::integer[], $4::bigint[]) AS place (topic, partition, "offset")
    WHERE letter.topic = place.topic
        AND letter.partition = place.partition
        AND letter."offset" = place."offset"
        AND letter.operation_id = $1
        AND letter.state = 'replaying'
    RETURNING 1
),
counted AS (SELECT count(*)::integer AS letters FROM settled)
UPDATE operations SET done = done + counted.letters
FROM counted
WHERE id = $1
RETURNING counted.letters

-- name: finish_operation
-- The operation is done.
UPDATE operations SET finished_at = now() WHERE id = $1 AND finished_at IS NULL

-- name: give_back
-- Let go what the operation has not dealt with: parked where it was replayed $2 times, else open.
WITH freed AS (
    UPDATE dead_letters SET
        state = CASE WHEN replays >= $2 THEN 'parked' ELSE 'open' END,
        operation_id = NULL
    WHERE operation_id = $1 AND state = 'replaying'
)
UPDATE operations SET finished_at = now() WHERE id = $1 AND finished_at IS NULL

-- name: list_operations
-- The newest $1 operations.
SELECT * FROM operations
ORDER BY started_at DESC, id
LIMIT $1
