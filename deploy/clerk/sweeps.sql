-- name: read_sweeps
-- The latest sweeps of a task; one that was last noted longer than $2 ago is not fresh.
SELECT
    resource, cursor, changed_until, seen, published, started_at, finished_at,
    noted_at > now() - $2::interval AS fresh
FROM sweeps
WHERE kind = $1

-- name: begin_sweeps
-- To the millisecond, which is all that a snapshot can say of it.
INSERT INTO sweeps (kind, resource, started_at, noted_at)
SELECT $1, resource, date_trunc('milliseconds', now()), now()
FROM unnest($2::text[]) AS resource
ON CONFLICT (kind, resource) DO UPDATE SET
    cursor = CASE WHEN $3::boolean THEN NULL ELSE sweeps.cursor END,
    seen = 0,
    published = 0,
    started_at = excluded.started_at,
    noted_at = excluded.noted_at,
    finished_at = NULL
RETURNING resource, cursor, changed_until, seen, published, started_at, finished_at, true AS fresh

-- name: note_sweep
-- How far it has come; the watermark never goes back.
UPDATE sweeps SET
    cursor = $3,
    changed_until = greatest(changed_until, $4),
    seen = $5,
    published = $6,
    noted_at = now(),
    finished_at = CASE WHEN $7::boolean THEN now() END
WHERE kind = $1 AND resource = $2
