-- name: read_user
-- A user, by primary key.
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
WHERE id = $1;

-- name: list_users
-- A page of living users, newest first, by users_created_at_id_idx. Users whose age is unknown
-- have no place in the order.
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
        COALESCE($1::timestamptz, 'infinity'),
        COALESCE($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
ORDER BY created_at DESC, id DESC
LIMIT $3;
