-- name: list_page
-- $1 operations, the newest first, from the one at $2 and $3 on; nulls begin.
SELECT
    operation.*,
    :running AS running
FROM operations AS operation
WHERE $2::timestamptz IS NULL OR (started_at, id) < ($2, $3::uuid)
ORDER BY started_at DESC, id DESC
LIMIT $1

-- name: list_unfinished
-- The newest operations that have not finished.
SELECT
    operation.*,
    :running AS running
FROM operations AS operation
WHERE finished_at IS NULL
ORDER BY started_at DESC, id DESC
LIMIT 100

-- name: find_operation
-- One operation.
SELECT
    operation.*,
    :running AS running
FROM operations AS operation
WHERE id = $1

-- name: find_of_letter
-- The operations that took the letter at a place, as far as it remembers.
SELECT
    operation.*,
    :running AS running
FROM operations AS operation
WHERE id IN (
    SELECT operation_id FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3
)

-- name: find_of_event
-- The operations that took the letters of an event last.
SELECT
    operation.*,
    :running AS running
FROM operations AS operation
WHERE id IN (SELECT operation_id FROM dead_letters WHERE event_id = $1)
ORDER BY started_at, id

-- name: running
-- Whether a session holds the lock of an operation: deploy/letters/operate.sql takes it.
(
    finished_at IS NULL
    AND EXISTS (
        SELECT FROM pg_locks AS lock
        WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
            AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
            AND (lock.classid::bigint << 32) | lock.objid::bigint
                = hashtextextended('clerkwork operation ' || operation.id::text, 0)
    )
)

-- name: note
-- Write into the audit what an operator has done that took no letters.
INSERT INTO operations (id, action, operator, selection, planned, started_at, finished_at)
VALUES ($1, $2, $3, $4::jsonb, 0, now(), now())

-- name: lock_operator
-- Let an operator do one thing at a time: hold them until the session ends; false where another
-- session does.
SELECT pg_try_advisory_lock(hashtextextended('clerkwork operator ' || $1::text, 0))

-- name: find_busy
-- The operation of an operator that is being carried out.
SELECT id
FROM operations AS operation
WHERE operator = $1 AND :running
ORDER BY started_at DESC
LIMIT 1

-- name: bound_statements
-- End a statement of this session that takes longer than $1 milliseconds.
SELECT set_config('statement_timeout', $1, false)
