-- name: read_standing
-- What the database says of a caller, by primary key.
SELECT role AS caller_role, status AS caller_status FROM users WHERE id = $1;

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

-- name: read_changes
-- The caller's standing, how far the outbox reaches, and a page of the changes after $3 that the
-- caller may see, in their order; one row at least. Administrators see all, by outbox_pkey;
-- others their own, by outbox_owner_position_idx, and what is public, by
-- outbox_public_position_idx. The state of whom is deleted is not shown, whether it is held back
-- or erased.
SELECT
    caller.role AS caller_role,
    caller.status AS caller_status,
    reach.forgotten,
    reach.head,
    reach.clock,
    page.position,
    page.type,
    page.key,
    page.state
FROM (VALUES ($1::uuid, $2::text, $3::bigint, $4::integer))
    AS asked (caller_id, clerk_id, since, rows)
LEFT JOIN users AS caller ON caller.id = asked.caller_id
CROSS JOIN (
    SELECT
        coalesce(max(forgotten), 0) AS forgotten,
        greatest(
            (SELECT max(position) FROM outbox), max(progress.position), max(forgotten), 0
        ) AS head,
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS clock
    FROM relay_progress AS progress
    WHERE name = 'outbox'
) AS reach
LEFT JOIN LATERAL (
    SELECT DISTINCT ON (position) position, type, key, state
    FROM (
        (
            SELECT position, type, key, state
            FROM outbox
            WHERE caller.role IS DISTINCT FROM 'admin'
                AND owner = asked.clerk_id
                AND position > asked.since
                AND type <> 'clerkwork.canary'
                AND (state IS NULL OR (
                    SELECT status FROM users WHERE users.clerk_id = outbox.owner
                ) IS DISTINCT FROM 'deleted')
            ORDER BY position
            LIMIT asked.rows
        )
        UNION ALL
        (
            SELECT position, type, key, state
            FROM outbox
            WHERE caller.role IS DISTINCT FROM 'admin'
                AND public
                AND position > asked.since
                AND type <> 'clerkwork.canary'
                AND (state IS NULL OR (
                    SELECT status FROM users WHERE users.clerk_id = outbox.owner
                ) IS DISTINCT FROM 'deleted')
            ORDER BY position
            LIMIT asked.rows
        )
        UNION ALL
        (
            SELECT position, type, key, state
            FROM outbox
            WHERE caller.role = 'admin'
                AND position > asked.since
                AND type <> 'clerkwork.canary'
                AND (state IS NULL OR (
                    SELECT status FROM users WHERE users.clerk_id = outbox.owner
                ) IS DISTINCT FROM 'deleted')
            ORDER BY position
            LIMIT asked.rows
        )
    ) AS visible
    ORDER BY position
    LIMIT asked.rows
) AS page ON true
ORDER BY page.position;

-- name: read_versions
-- How new some users are; those who are not there are left out.
SELECT id, status, version FROM users WHERE id = ANY($1::uuid[]);
