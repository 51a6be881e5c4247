-- name: read_reach
-- How far the outbox reaches, and up to where nothing is left of it; one row.
SELECT
    coalesce(max(forgotten), 0) AS forgotten,
    greatest(
        (SELECT max(position) FROM outbox), max(progress.position), max(forgotten), 0
    ) AS head
FROM relay_progress AS progress
WHERE name = 'outbox';

-- name: read_on
-- The next changes after $1, by outbox_pkey, and who may see them; with the standing of whose
-- they are. The state of whom is deleted by now is shown to nobody.
SELECT
    next.position,
    next.topic,
    next.type,
    next.key,
    next.state,
    next.owner,
    next.public,
    next.type = 'clerkwork.canary'
        OR next.state IS NOT NULL AND owner.status IS NOT DISTINCT FROM 'deleted' AS hidden,
    owner.id AS owner_id,
    owner.role AS owner_role,
    owner.status AS owner_status
FROM (
    SELECT * FROM outbox WHERE position > $1::bigint ORDER BY position LIMIT $2::integer
) AS next
LEFT JOIN users AS owner ON owner.clerk_id = next.owner
ORDER BY next.position;

-- name: read_standings
-- What the database says of these callers, by primary key.
SELECT id, role, status FROM users WHERE id = ANY($1::uuid[]);
