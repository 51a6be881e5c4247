-- name: list_sessions_of_gone
-- Open sessions of users who are gone, here or at Clerk; by the primary key.
SELECT sessions.id, sessions.clerk_id, sessions.version, users.clerk_id AS user_id
FROM sessions
JOIN users ON users.id = sessions.user_id
WHERE sessions.id > $1
    AND sessions.status IN ('pending', 'active')
    AND (least(sessions.expire_at, sessions.abandon_at) > now()) IS NOT FALSE
    AND (
        users.deleted_at IS NOT NULL
        OR EXISTS (
            SELECT FROM suspects
            WHERE resource = 'users' AND suspects.id = users.id
                AND kind IN ('deleted_upstream', 'restored')
        )
    )
ORDER BY sessions.id
LIMIT $2

-- name: list_idle_sessions
-- Other open sessions, the least recently active first, from after the one that was looked at
-- last; found by their status.
SELECT
    sessions.id, sessions.clerk_id, sessions.version, users.clerk_id AS user_id,
    activity.latest
FROM sessions
JOIN users ON users.id = sessions.user_id
CROSS JOIN LATERAL (
    SELECT greatest(sessions.last_active_at, sessions.updated_at) AS latest
) AS activity
WHERE sessions.status IN ('pending', 'active')
    AND (least(sessions.expire_at, sessions.abandon_at) > now()) IS NOT FALSE
    AND users.deleted_at IS NULL
    AND NOT EXISTS (
        SELECT FROM suspects
        WHERE resource = 'users' AND suspects.id = users.id
            AND kind IN ('deleted_upstream', 'restored')
    )
    AND (activity.latest, sessions.id) > ($1, $2)
ORDER BY activity.latest, sessions.id
LIMIT $3
