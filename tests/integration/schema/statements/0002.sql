-- name: workers_apply_upsert_users
-- Write the newest snapshot or tombstone of each user; rows are locked in key order, changed or
-- not. A deletion absorbs: nothing replaces a tombstone but an earlier deletion, so that the
-- same set of events gives the same row in whatever order it came. Returns the users it changed.
INSERT INTO users AS stored (
    id, clerk_id, email, email_verified, first_name, last_name, username, image_url, external_id,
    role, status, public_metadata, last_sign_in_at, last_active_at, created_at, updated_at,
    deleted_at, version, version_timestamp, version_event_id
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::timestamptz[],
    $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::timestamptz[],
    $18::bigint[], $19::bigint[], $20::text[]
) AS incoming (id)
ORDER BY incoming.id
ON CONFLICT (id) DO UPDATE SET
    email = excluded.email,
    email_verified = excluded.email_verified,
    first_name = excluded.first_name,
    last_name = excluded.last_name,
    username = excluded.username,
    image_url = excluded.image_url,
    external_id = excluded.external_id,
    role = excluded.role,
    status = excluded.status,
    public_metadata = excluded.public_metadata,
    last_sign_in_at = CASE WHEN excluded.deleted_at IS NULL
        THEN greatest(stored.last_sign_in_at, excluded.last_sign_in_at) END,
    last_active_at = CASE WHEN excluded.deleted_at IS NULL
        THEN greatest(stored.last_active_at, excluded.last_active_at) END,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    version = excluded.version,
    version_timestamp = excluded.version_timestamp,
    version_event_id = excluded.version_event_id
WHERE CASE
    WHEN excluded.deleted_at IS NULL THEN
        stored.deleted_at IS NULL
        AND (excluded.version, excluded.version_timestamp, excluded.version_event_id COLLATE "C")
            > (stored.version, stored.version_timestamp, stored.version_event_id COLLATE "C")
    ELSE
        stored.deleted_at IS NULL
        OR (excluded.version, excluded.version_event_id COLLATE "C")
            < (stored.version, stored.version_event_id COLLATE "C")
END
RETURNING stored.id

-- name: workers_apply_raise_last_seen
-- Lift the two times that only grow, for living users whose newest snapshot is not the one that
-- knows the latest.
UPDATE users AS stored SET
    last_sign_in_at = greatest(stored.last_sign_in_at, seen.last_sign_in_at),
    last_active_at = greatest(stored.last_active_at, seen.last_active_at)
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
    AS seen (id, last_sign_in_at, last_active_at)
WHERE stored.id = seen.id
    AND stored.deleted_at IS NULL
    AND (
        seen.last_sign_in_at > coalesce(stored.last_sign_in_at, '-infinity')
        OR seen.last_active_at > coalesce(stored.last_active_at, '-infinity')
    )

-- name: workers_apply_record_events
-- Write the ledger. An event that is there already keeps its row: a repetition is no news, unless
-- it was dead and is not any more.
INSERT INTO events AS known (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, reason,
    topic, partition, "offset"
)
SELECT
    event_id, occurred_at, type, clerk_user_id, received_at, now(), outcome, reason,
    topic, partition, "offset"
FROM unnest(
    $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[],
    $7::text[], $8::text[], $9::integer[], $10::bigint[]
) AS incoming (
    event_id, occurred_at, type, clerk_user_id, received_at, outcome, reason,
    topic, partition, "offset"
)
ORDER BY event_id, occurred_at
ON CONFLICT (event_id, occurred_at) DO UPDATE SET
    outcome = excluded.outcome,
    reason = excluded.reason,
    applied_at = excluded.applied_at,
    topic = excluded.topic,
    partition = excluded.partition,
    "offset" = excluded."offset"
WHERE known.outcome = 'dead' AND excluded.outcome <> 'dead'

-- name: workers_erase_erase_users
-- Leave nothing personal of the deleted users whose data is not held back: a tombstone, and in
-- the ledger only that they were deleted. Their rows are locked already, in key order; whoever
-- writes what belongs to a user locks the user first, so that nothing is written beside this.
WITH erased AS (
    UPDATE users SET
        email = NULL,
        email_verified = false,
        first_name = NULL,
        last_name = NULL,
        username = NULL,
        image_url = NULL,
        external_id = NULL,
        role = 'user',
        status = 'deleted',
        public_metadata = '{}',
        last_sign_in_at = NULL,
        last_active_at = NULL,
        created_at = NULL,
        updated_at = NULL,
        version = (extract(epoch FROM deleted_at) * 1000)::bigint,
        version_timestamp = (extract(epoch FROM deleted_at) * 1000)::bigint,
        version_event_id = deletion_event_id,
        signup_source = NULL,
        last_event_at = NULL,
        held_status = NULL
    WHERE id = ANY($1::uuid[]) AND deleted_at IS NOT NULL AND erase_at IS NULL
    RETURNING id, clerk_id
),
data AS (DELETE FROM user_data USING erased WHERE user_id = erased.id),
names AS (DELETE FROM user_names USING erased WHERE user_id = erased.id),
their_sessions AS (DELETE FROM sessions USING erased WHERE user_id = erased.id),
memberships AS (DELETE FROM organization_memberships USING erased WHERE user_id = erased.id),
invitations AS (DELETE FROM organization_invitations USING erased WHERE user_id = erased.id)
UPDATE events SET clerk_user_id = NULL
FROM erased
WHERE events.clerk_user_id = erased.clerk_id AND events.type <> 'user.deleted'

-- name: workers_erase_empty_organizations
-- A deleted organization has no members. Its row is locked already.
WITH ended AS (
    SELECT id FROM organizations WHERE id = ANY($1::uuid[]) AND status = 'deleted'
),
memberships AS (DELETE FROM organization_memberships USING ended WHERE organization_id = ended.id)
DELETE FROM organization_invitations USING ended WHERE organization_id = ended.id

-- name: api_read_check
-- Whether the database answers.
SELECT 1;

-- name: api_read_read_user
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

-- name: api_read_list_users
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
