-- name: list_sessions
-- A user, by primary key, and a page of a living one's sessions, newest first, by
-- sessions_user_id_created_at_id_idx. No row where there is no user, one at least where there is.
SELECT
    users.status AS user_status,
    page.*
FROM users
LEFT JOIN LATERAL (
    SELECT
        id,
        clerk_id,
        user_id,
        status,
        impersonated,
        device,
        ip_address,
        last_active_at,
        expire_at,
        abandon_at,
        created_at,
        updated_at
    FROM sessions
    WHERE user_id = users.id
        AND users.status <> 'deleted'
        AND (created_at, id) < (
            COALESCE($2::timestamptz, 'infinity'),
            COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY created_at DESC, id DESC
    LIMIT $4
) AS page ON true
WHERE users.id = $1
ORDER BY page.created_at DESC, page.id DESC;
