-- name: find_user
-- How the tables know a user, by the index on clerk_id.
SELECT id, status, deleted_at, erase_at, email FROM users WHERE clerk_id = $1

-- name: release_user
-- Let go of a deleted user whose data is held back, whenever its time would have come, and lock the
-- row. Who is restored meanwhile is not deleted: the condition is that of the locked row.
UPDATE users SET erase_at = NULL
WHERE clerk_id = $1 AND deleted_at IS NOT NULL AND erase_at IS NOT NULL
RETURNING id

-- name: count_rows
-- How many rows of each table hold something of the user $1, whose own id is $2.
SELECT 'user_data' AS name, count(*) AS rows FROM user_data WHERE user_id = $2
UNION ALL SELECT 'user_names', count(*) FROM user_names WHERE user_id = $2
UNION ALL SELECT 'sessions', count(*) FROM sessions WHERE user_id = $2
UNION ALL
SELECT 'organization_memberships', count(*) FROM organization_memberships WHERE user_id = $2
UNION ALL
SELECT 'organization_invitations', count(*) FROM organization_invitations WHERE user_id = $2
UNION ALL SELECT 'posts', count(*) FROM posts WHERE user_id = $2
UNION ALL SELECT 'outbox', count(*) FROM outbox WHERE owner = $1 AND state IS NOT NULL
UNION ALL SELECT 'dead_letters', count(*) FROM dead_letters WHERE clerk_user_id = $1

-- name: find_copies
-- Schemas beside the tables that a rebuild has left, with what they held before.
SELECT nspname FROM pg_namespace WHERE nspname IN ('rebuild', 'before_rebuild') ORDER BY nspname

-- name: read_applied
-- How far each of these partitions is applied, in the database's own word.
SELECT topic, partition, next_offset FROM applied_offsets WHERE topic = ANY($1::text[])

-- name: analyze
-- Forget what the planner remembers of values, by looking at what there is now. Who does not own the
-- tables is warned, and nothing happens.
ANALYZE users, user_data, user_names, sessions, posts, outbox, organization_memberships,
    organization_invitations, dead_letters
