-- name: begin_sweeps
-- Note that a look at these resources begins.
INSERT INTO sweeps (kind, resource, started_at, noted_at)
SELECT 'reconcile', resource, now(), now() FROM unnest($1::text[]) AS resource
ON CONFLICT (kind, resource) DO UPDATE SET
    started_at = excluded.started_at,
    noted_at = excluded.noted_at,
    finished_at = NULL,
    seen = 0,
    published = 0

-- name: finish_sweep
-- Note that it is through; the watermark never goes back.
UPDATE sweeps SET
    seen = $2,
    published = $3,
    cursor = $4,
    changed_until = greatest(changed_until, $5),
    noted_at = now(),
    finished_at = now()
WHERE kind = 'reconcile' AND resource = $1

-- name: read_sweep
-- How far the last look has come.
SELECT cursor, changed_until FROM sweeps WHERE kind = 'reconcile' AND resource = $1

-- name: count_users
-- How many users there are whom Clerk should have too.
SELECT count(*) FROM users WHERE status NOT IN ('pending', 'deleted')
