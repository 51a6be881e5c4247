-- name: study
-- Let the planner know how many there are.
ANALYZE suspects

-- name: may_be_coming
-- Whether there is anything that Clerk may just be telling: it changed within $1 ms before it was
-- looked at, or nobody knows when.
SELECT count(*) FROM suspects
WHERE version > clock_ms - $1 OR kind NOT IN ('missing', 'stale', 'altered')

-- name: count_suspects
-- How much there is to look at again.
SELECT count(*) FROM suspects

-- name: look_again
-- Find out which suspects differ still, by the primary keys. What is altered is so as long as no
-- other event has written the row.
UPDATE suspects SET differs = judged.differs
FROM (
    SELECT
        those.resource, those.id,
        coalesce(
            CASE
                WHEN those.kind IN ('missing', 'stale') THEN ours.found IS NULL
                    OR ours.deleted_at IS NULL AND ours.version < those.version
                WHEN those.kind = 'altered' THEN ours.version = those.version
                    AND ours.event_id IS NOT DISTINCT FROM those.mark
                WHEN those.kind = 'deleted_here' THEN ours.deleted_at IS NOT NULL
                WHEN those.kind = 'orphaned' THEN sessions.status IN ('pending', 'active')
                    AND (least(sessions.expire_at, sessions.abandon_at) > now()) IS NOT FALSE
                ELSE ours.found IS NOT NULL AND ours.deleted_at IS NULL
            END,
            false
        ) AS differs
    FROM suspects AS those
    LEFT JOIN users ON those.resource = 'users' AND users.id = those.id
    LEFT JOIN organizations ON those.resource = 'organizations' AND organizations.id = those.id
    LEFT JOIN organization_memberships AS memberships
        ON those.resource = 'memberships' AND memberships.id = those.id
    LEFT JOIN sessions ON those.resource = 'sessions' AND sessions.id = those.id
    CROSS JOIN LATERAL (
        SELECT
            coalesce(users.id, organizations.id, memberships.id) AS found,
            coalesce(users.version, organizations.version, memberships.version) AS version,
            users.version_event_id AS event_id,
            coalesce(users.deleted_at, organizations.deleted_at, memberships.deleted_at)
                AS deleted_at
    ) AS ours
) AS judged
WHERE suspects.resource = judged.resource AND suspects.id = judged.id

-- name: dismiss_memberships
-- A membership has no row where its user or organization is deleted.
UPDATE suspects SET differs = false
FROM users, organizations
WHERE resource = 'memberships' AND kind IN ('missing', 'stale')
    AND users.clerk_id = suspects.user_id
    AND organizations.clerk_id = suspects.organization_id
    AND (users.deleted_at IS NOT NULL OR organizations.deleted_at IS NOT NULL)

-- name: forget_settled
-- What was on its way has arrived.
DELETE FROM suspects WHERE NOT differs

-- name: note_mended
-- What was mended, and what is left.
UPDATE suspects SET mended = NOT differs

-- name: read_applied
-- How far workers have applied each partition.
SELECT topic, partition, next_offset FROM applied_offsets WHERE topic = ANY($1::text[])
