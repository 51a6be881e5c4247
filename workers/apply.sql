-- name: find_users
-- Who has a row; none is locked yet, for new rows come first.
SELECT id FROM users WHERE id = ANY($1::uuid[])

-- name: insert_users
-- Write users who have no row yet: snapshots, or stubs for those who were only named. In key
-- order; and with every unique index to tell a conflict, because whoever finds one in an index
-- that is not asked for waits while others wait for him. Returns who is new, and whether it is
-- more than a name.
INSERT INTO users (
    id, clerk_id, email, email_verified, first_name, last_name, username, image_url, external_id,
    role, status, public_metadata, last_sign_in_at, last_active_at, created_at, updated_at,
    version, version_timestamp, version_event_id, signup_source, last_event_at
)
SELECT incoming.*
FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::timestamptz[],
    $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::bigint[], $18::bigint[],
    $19::text[], $20::text[], $21::timestamptz[]
) AS incoming (id)
ORDER BY incoming.id
ON CONFLICT DO NOTHING
RETURNING id, status <> 'pending' AS created, false AS differs, true AS moved, NULL AS calm_since

-- name: upsert_users
-- Write the newest snapshot of users who have a row; who has none must not be among them. Every
-- row is locked in key order, changed or not, before anything else that belongs to a user is
-- written: that keeps workers from deadlocks and from writing beside an erasure. Nothing is written
-- on a tombstone; a user whose deletion is held back changes on, hidden. Returns who changed,
-- whether others can see it, whether what user_data has of it did, and the version before, where
-- the name is still the same. The latest event is in user_data then, unless more of it is due.
WITH written AS (
    INSERT INTO users AS stored (
        id, clerk_id, email, email_verified, first_name, last_name, username, image_url,
        external_id, role, status, public_metadata, last_sign_in_at, last_active_at, created_at,
        updated_at, version, version_timestamp, version_event_id, signup_source, last_event_at
    )
    SELECT incoming.*
    FROM unnest(
        $1::uuid[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::jsonb[], $13::timestamptz[],
        $14::timestamptz[], $15::timestamptz[], $16::timestamptz[], $17::bigint[], $18::bigint[],
        $19::text[], $20::text[], $21::timestamptz[]
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
        status = CASE WHEN stored.deleted_at IS NULL THEN excluded.status ELSE stored.status END,
        held_status = CASE WHEN stored.deleted_at IS NOT NULL THEN excluded.status END,
        public_metadata = excluded.public_metadata,
        last_sign_in_at = greatest(stored.last_sign_in_at, excluded.last_sign_in_at),
        last_active_at = greatest(stored.last_active_at, excluded.last_active_at),
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        version = excluded.version,
        version_timestamp = excluded.version_timestamp,
        version_event_id = excluded.version_event_id,
        signup_source = CASE
            WHEN 'invite' IN (stored.signup_source, excluded.signup_source) THEN 'invite'
            WHEN 'admin' IN (stored.signup_source, excluded.signup_source) THEN 'admin'
            ELSE coalesce(excluded.signup_source, stored.signup_source)
        END,
        last_event_at = greatest(stored.last_event_at, excluded.last_event_at)
    WHERE (stored.deleted_at IS NULL OR stored.erase_at IS NOT NULL)
        AND (excluded.version, excluded.version_timestamp, excluded.version_event_id COLLATE "C")
            > (stored.version, stored.version_timestamp, stored.version_event_id COLLATE "C")
    RETURNING
        stored.id,
        old.status = 'pending' AND new.status <> 'pending' AS created,
        new.status NOT IN ('pending', 'deleted') AND row(
            old.email, old.email_verified, old.first_name, old.last_name, old.username,
            old.image_url, old.external_id, old.role, old.status, old.public_metadata, old.created_at
        ) IS DISTINCT FROM row(
            new.email, new.email_verified, new.first_name, new.last_name, new.username,
            new.image_url, new.external_id, new.role, new.status, new.public_metadata, new.created_at
        ) AS differs,
        row(old.last_active_at, old.created_at, old.signup_source)
            IS DISTINCT FROM row(new.last_active_at, new.created_at, new.signup_source) AS moved,
        CASE
            WHEN old.version > 0 AND row(old.first_name, old.last_name)
                IS NOT DISTINCT FROM row(new.first_name, new.last_name)
            THEN old.version
        END AS calm_since,
        stored.last_event_at
),
noted AS (
    INSERT INTO user_data AS known (user_id, key, value)
    SELECT
        id, 'last_clerk_sync',
        to_jsonb(to_char(last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
    FROM written
    WHERE NOT moved AND last_event_at IS NOT NULL
    ON CONFLICT (user_id, key) DO UPDATE SET value = excluded.value
    WHERE known.value IS DISTINCT FROM excluded.value
)
SELECT id, created, differs, moved, calm_since FROM written

-- name: raise_users
-- Lift what only grows, for users whose newest snapshot is not among these.
UPDATE users AS stored SET
    last_sign_in_at = greatest(stored.last_sign_in_at, seen.last_sign_in_at),
    last_active_at = greatest(stored.last_active_at, seen.last_active_at),
    signup_source = CASE
        WHEN 'invite' IN (stored.signup_source, seen.signup_source) THEN 'invite'
        WHEN 'admin' IN (stored.signup_source, seen.signup_source) THEN 'admin'
        ELSE coalesce(seen.signup_source, stored.signup_source)
    END,
    last_event_at = greatest(stored.last_event_at, seen.last_event_at)
FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::text[], $5::timestamptz[])
    AS seen (id, last_sign_in_at, last_active_at, signup_source, last_event_at)
WHERE stored.id = seen.id
    AND (stored.deleted_at IS NULL OR stored.erase_at IS NOT NULL)
    AND (
        seen.last_sign_in_at > coalesce(stored.last_sign_in_at, '-infinity')
        OR seen.last_active_at > coalesce(stored.last_active_at, '-infinity')
        OR seen.last_event_at > coalesce(stored.last_event_at, '-infinity')
        OR seen.signup_source = 'invite' AND stored.signup_source IS DISTINCT FROM 'invite'
        OR seen.signup_source = 'admin' AND stored.signup_source IS NOT DISTINCT FROM 'clerk'
        OR stored.signup_source IS NULL AND seen.signup_source IS NOT NULL
    )

-- name: delete_users
-- Mark the end of users, unless an operator has restored them since. $4 is for how long their
-- data is held back; null: it is erased in this transaction. Returns whose end this is, and
-- whether it is news.
UPDATE users AS stored SET
    deleted_at = ended.deleted_at,
    deletion_event_id = ended.event_id,
    status = 'deleted',
    held_status = CASE WHEN stored.deleted_at IS NULL THEN stored.status ELSE stored.held_status END,
    erase_at = CASE WHEN stored.deleted_at IS NULL THEN now() + $4::interval ELSE stored.erase_at END
FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS ended (id, deleted_at, event_id)
WHERE stored.id = ended.id
    AND ended.deleted_at > coalesce(stored.restored_at, '-infinity')
    AND (ended.deleted_at, ended.event_id COLLATE "C") > (
        coalesce(stored.deleted_at, '-infinity'),
        coalesce(stored.deletion_event_id, '') COLLATE "C"
    )
RETURNING stored.id, old.deleted_at IS NULL AS news

-- name: insert_organizations
-- Write organizations that have no row yet, as insert_users does. Returns what is new.
INSERT INTO organizations (
    id, clerk_id, name, slug, image_url, public_metadata, status, created_at, updated_at,
    deleted_at, version, version_timestamp, version_event_id
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::bigint[],
    $13::text[]
) AS incoming (id)
ORDER BY incoming.id
ON CONFLICT DO NOTHING
RETURNING id

-- name: upsert_organizations
-- Write the newest snapshot or the end of organizations that have a row; all are locked in key
-- order. An end absorbs. Returns what changed.
INSERT INTO organizations AS stored (
    id, clerk_id, name, slug, image_url, public_metadata, status, created_at, updated_at,
    deleted_at, version, version_timestamp, version_event_id
)
SELECT * FROM unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::bigint[],
    $13::text[]
) AS incoming (id)
ORDER BY incoming.id
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name,
    slug = excluded.slug,
    image_url = excluded.image_url,
    public_metadata = excluded.public_metadata,
    status = excluded.status,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    version = excluded.version,
    version_timestamp = excluded.version_timestamp,
    version_event_id = excluded.version_event_id
WHERE (
    excluded.deleted_at IS NOT NULL, excluded.version, excluded.version_timestamp,
    excluded.version_event_id COLLATE "C"
) > (
    stored.deleted_at IS NOT NULL, stored.version, stored.version_timestamp,
    stored.version_event_id COLLATE "C"
)
RETURNING stored.id

-- name: upsert_sessions
-- Write the newest or the final snapshot of each session, unless its user is erased. Returns
-- what changed, and whether it is new: nothing is left to raise there.
INSERT INTO sessions AS stored (
    id, clerk_id, user_id, status, impersonated, device, ip_address, last_active_at, expire_at,
    abandon_at, created_at, updated_at, version, version_timestamp, version_event_id,
    activity_version, activity_event_id
)
SELECT incoming.*
FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::boolean[], $6::text[], $7::text[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::timestamptz[],
    $12::timestamptz[], $13::bigint[], $14::bigint[], $15::text[], $16::bigint[], $17::text[]
) AS incoming (id, clerk_id, user_id)
JOIN users ON users.id = incoming.user_id
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
ORDER BY incoming.id
ON CONFLICT (id) DO UPDATE SET
    user_id = excluded.user_id,
    status = excluded.status,
    impersonated = stored.impersonated OR excluded.impersonated,
    last_active_at = greatest(stored.last_active_at, excluded.last_active_at),
    expire_at = excluded.expire_at,
    abandon_at = excluded.abandon_at,
    created_at = least(stored.created_at, excluded.created_at),
    updated_at = excluded.updated_at,
    version = excluded.version,
    version_timestamp = excluded.version_timestamp,
    version_event_id = excluded.version_event_id
WHERE (
    excluded.status IN ('ended', 'removed', 'revoked'), excluded.version,
    excluded.version_timestamp, excluded.version_event_id COLLATE "C"
) > (
    stored.status IN ('ended', 'removed', 'revoked'), stored.version,
    stored.version_timestamp, stored.version_event_id COLLATE "C"
)
RETURNING stored.id, old.id IS NULL AS new

-- name: raise_sessions
-- Lift the latest activity and keep the first place that sessions were used from, when and by whom
-- they were begun, out of old snapshots as out of new ones.
UPDATE sessions AS stored SET
    impersonated = stored.impersonated OR seen.impersonated,
    created_at = least(stored.created_at, seen.created_at),
    last_active_at = greatest(stored.last_active_at, seen.last_active_at),
    device = CASE WHEN earlier THEN seen.device ELSE stored.device END,
    ip_address = CASE WHEN earlier THEN seen.ip_address ELSE stored.ip_address END,
    activity_version = CASE WHEN earlier THEN seen.version ELSE stored.activity_version END,
    activity_event_id = CASE WHEN earlier THEN seen.event_id ELSE stored.activity_event_id END
FROM (
    SELECT
        incoming.*,
        incoming.version IS NOT NULL AND (
            known.activity_version IS NULL
            OR (incoming.version, incoming.event_id COLLATE "C")
                < (known.activity_version, known.activity_event_id COLLATE "C")
        ) AS earlier
    FROM unnest(
        $1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[],
        $7::boolean[], $8::timestamptz[]
    ) AS incoming (
        id, last_active_at, device, ip_address, version, event_id, impersonated, created_at
    )
    JOIN sessions AS known ON known.id = incoming.id
) AS seen
WHERE stored.id = seen.id
    AND (
        earlier
        OR seen.last_active_at > coalesce(stored.last_active_at, '-infinity')
        OR seen.impersonated AND NOT stored.impersonated
        OR seen.created_at < stored.created_at
    )

-- name: upsert_memberships
-- Write the newest snapshot or the end of each membership, unless its user is erased or its
-- organization deleted. An end absorbs. Returns what changed.
INSERT INTO organization_memberships AS stored (
    id, clerk_id, organization_id, user_id, role, permissions, public_metadata, created_at,
    updated_at, deleted_at, version, version_timestamp, version_event_id
)
SELECT incoming.*
FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::jsonb[], $7::jsonb[],
    $8::timestamptz[], $9::timestamptz[], $10::timestamptz[], $11::bigint[], $12::bigint[],
    $13::text[]
) AS incoming (id, clerk_id, organization_id, user_id)
JOIN users ON users.id = incoming.user_id
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
JOIN organizations ON organizations.id = incoming.organization_id
    AND organizations.deleted_at IS NULL
ORDER BY incoming.id
ON CONFLICT (id) DO UPDATE SET
    organization_id = excluded.organization_id,
    user_id = excluded.user_id,
    role = excluded.role,
    permissions = excluded.permissions,
    public_metadata = excluded.public_metadata,
    created_at = excluded.created_at,
    updated_at = excluded.updated_at,
    deleted_at = excluded.deleted_at,
    version = excluded.version,
    version_timestamp = excluded.version_timestamp,
    version_event_id = excluded.version_event_id
WHERE (
    excluded.deleted_at IS NOT NULL, excluded.version, excluded.version_timestamp,
    excluded.version_event_id COLLATE "C"
) > (
    stored.deleted_at IS NOT NULL, stored.version, stored.version_timestamp,
    stored.version_event_id COLLATE "C"
)
RETURNING stored.id

-- name: upsert_invitations
-- Write each accepted invitation, unless its user is erased. Returns what changed.
INSERT INTO organization_invitations AS stored (
    id, clerk_id, organization_id, user_id, role, created_at, accepted_at, version,
    version_timestamp, version_event_id
)
SELECT incoming.*
FROM unnest(
    $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[],
    $7::timestamptz[], $8::bigint[], $9::bigint[], $10::text[]
) AS incoming (id, clerk_id, organization_id, user_id)
JOIN users ON users.id = incoming.user_id
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
ORDER BY incoming.id
ON CONFLICT (id) DO UPDATE SET
    organization_id = excluded.organization_id,
    user_id = excluded.user_id,
    role = excluded.role,
    created_at = excluded.created_at,
    accepted_at = excluded.accepted_at,
    version = excluded.version,
    version_timestamp = excluded.version_timestamp,
    version_event_id = excluded.version_event_id
WHERE (excluded.version, excluded.version_timestamp, excluded.version_event_id COLLATE "C")
    > (stored.version, stored.version_timestamp, stored.version_event_id COLLATE "C")
RETURNING stored.id
