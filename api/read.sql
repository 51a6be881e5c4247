-- name: check
-- Whether the database answers.
SELECT 1;

-- name: read_version
-- How new a row is, by primary key.
SELECT version FROM users WHERE id = $1;

-- name: read_user
-- The caller's standing and one user, both by primary key; always one row.
SELECT
    caller.role AS caller_role,
    caller.status AS caller_status,
    target.id,
    target.clerk_id,
    target.email,
    target.email_verified,
    target.first_name,
    target.last_name,
    target.username,
    target.image_url,
    target.external_id,
    target.role,
    target.status,
    target.public_metadata,
    target.last_sign_in_at,
    target.last_active_at,
    target.created_at,
    target.updated_at,
    target.deleted_at,
    target.version,
    target.version_timestamp,
    target.version_event_id,
    target.signup_source,
    target.last_event_at,
    target.deletion_event_id,
    target.erase_at,
    target.held_status,
    target.restored_at
FROM (VALUES ($1::uuid, $2::uuid)) AS asked (caller_id, user_id)
LEFT JOIN users AS caller ON caller.id = asked.caller_id
LEFT JOIN users AS target ON target.id = asked.user_id;

-- name: list_users
-- The caller's standing and a page of living users, newest first, by users_created_at_id_idx;
-- one row at least. Users whose age is unknown have no place in the order.
SELECT
    caller.role AS caller_role,
    caller.status AS caller_status,
    page.*
FROM (VALUES ($1::uuid)) AS asked (caller_id)
LEFT JOIN users AS caller ON caller.id = asked.caller_id
LEFT JOIN LATERAL (
    SELECT
        id,
        clerk_id,
        email,
        email_verified,
        first_name,
        last_name,
        username,
        image_url,
        external_id,
        role,
        status,
        public_metadata,
        last_sign_in_at,
        last_active_at,
        created_at,
        updated_at,
        deleted_at,
        version,
        version_timestamp,
        version_event_id,
        signup_source,
        last_event_at,
        deletion_event_id,
        erase_at,
        held_status,
        restored_at
    FROM users
    WHERE status NOT IN ('pending', 'deleted')
        AND (created_at, id) < (
            COALESCE($2::timestamptz, 'infinity'),
            COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY created_at DESC, id DESC
    LIMIT $4
) AS page ON true
ORDER BY page.created_at DESC, page.id DESC;
