-- name: keep_others_out
-- Held until the connection ends, however that comes about.
SELECT pg_try_advisory_lock(6241363)

-- name: who_runs
-- Who holds that lock.
SELECT coalesce(application_name, 'somebody') AS name, backend_start AS since
FROM pg_locks
JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = 0 AND objid = 6241363 AND granted
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- name: read_sweeps
-- The latest walk through each resource; one that was last noted longer than $1 ago is not fresh.
SELECT resource, cursor, seen, published, started_at, finished_at, noted_at > now() - $1::interval AS fresh
FROM sweeps
WHERE kind = 'backfill'

-- name: begin_sweeps
-- To the millisecond, which is all that a snapshot can say of it.
INSERT INTO sweeps (kind, resource, started_at, noted_at)
SELECT 'backfill', resource, date_trunc('milliseconds', now()), now()
FROM unnest($1::text[]) AS resource
ON CONFLICT (kind, resource) DO UPDATE SET
    cursor = NULL,
    seen = 0,
    published = 0,
    started_at = excluded.started_at,
    noted_at = excluded.noted_at,
    finished_at = NULL
RETURNING resource, cursor, seen, published, started_at, finished_at, true AS fresh

-- name: note_page
-- One more page is on Kafka.
UPDATE sweeps
SET cursor = $2, seen = seen + $3, published = published + $4, noted_at = now()
WHERE kind = 'backfill' AND resource = $1

-- name: finish_sweep
-- There is no more of it.
UPDATE sweeps
SET cursor = NULL, noted_at = now(), finished_at = now()
WHERE kind = 'backfill' AND resource = $1
RETURNING resource, cursor, seen, published, started_at, finished_at, true AS fresh
