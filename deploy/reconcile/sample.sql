-- name: draw_users
-- Living users at random: the first at or after random places of the primary key, whose values are
-- hashes. Fewer than $1, where a place was drawn twice.
WITH places AS MATERIALIZED (
    SELECT gen_random_uuid() AS place FROM generate_series(1, $1::integer)
)
SELECT DISTINCT
    drawn.id, drawn.clerk_id, drawn.version, drawn.restored, NULL AS user_id,
    NULL AS organization_id
FROM places
CROSS JOIN LATERAL (
    SELECT id, clerk_id, version, restored_at IS NOT NULL AS restored
    FROM users
    WHERE id >= places.place AND deleted_at IS NULL AND NOT starts_with(clerk_id, $2)
    ORDER BY id
    LIMIT 1
) AS drawn

-- name: count_suspected
-- How many of either side differ: those that Clerk has, and those that only we have.
SELECT
    count(*) FILTER (WHERE kind NOT IN ('deleted_upstream', 'restored')) AS at_clerk,
    count(*) FILTER (WHERE kind IN ('deleted_upstream', 'restored')) AS here
FROM suspects
