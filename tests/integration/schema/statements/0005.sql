-- name: workers_advance_advance_offsets
-- Note how far each partition is applied, and tell where the batch begins beyond that.
WITH incoming AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[])
        AS batch (topic, partition, first_offset, next_offset)
),
known AS MATERIALIZED (
    SELECT topic, partition, stored.next_offset
    FROM applied_offsets AS stored
    JOIN incoming USING (topic, partition)
),
written AS (
    INSERT INTO applied_offsets AS stored (topic, partition, next_offset, applied_at)
    SELECT topic, partition, next_offset, now() FROM incoming ORDER BY topic, partition
    ON CONFLICT (topic, partition) DO UPDATE SET
        next_offset = greatest(stored.next_offset, excluded.next_offset),
        applied_at = excluded.applied_at
)
SELECT topic, partition, first_offset - known.next_offset AS skipped
FROM incoming
JOIN known USING (topic, partition)
WHERE first_offset > known.next_offset

-- name: workers_apply_insert_users
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
RETURNING id, status <> 'pending' AS created, false AS differs

-- name: workers_apply_upsert_users
-- Write the newest snapshot of users who have a row. Every row is locked in key order, changed or
-- not, before anything that belongs to a user is written: that keeps workers from deadlocks and
-- from writing beside an erasure. Nothing is written on a tombstone; a user whose deletion is
-- held back changes on, hidden. Returns who changed, and whether others can see it.
INSERT INTO users AS stored (
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
WHERE EXISTS (SELECT FROM users WHERE users.id = incoming.id)
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
        old.email, old.email_verified, old.first_name, old.last_name, old.username, old.image_url,
        old.external_id, old.role, old.status, old.public_metadata, old.created_at
    ) IS DISTINCT FROM row(
        new.email, new.email_verified, new.first_name, new.last_name, new.username, new.image_url,
        new.external_id, new.role, new.status, new.public_metadata, new.created_at
    ) AS differs

-- name: workers_apply_raise_users
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

-- name: workers_apply_delete_users
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

-- name: workers_apply_insert_organizations
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

-- name: workers_apply_upsert_organizations
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

-- name: workers_apply_upsert_sessions
-- Write the newest or the final snapshot of each session, unless its user is erased. Returns
-- what changed.
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
    impersonated = excluded.impersonated,
    last_active_at = greatest(stored.last_active_at, excluded.last_active_at),
    expire_at = excluded.expire_at,
    abandon_at = excluded.abandon_at,
    created_at = excluded.created_at,
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
RETURNING stored.id

-- name: workers_apply_raise_sessions
-- Lift the latest activity and keep the first place that sessions were used from, out of old
-- snapshots as out of new ones.
UPDATE sessions AS stored SET
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
        $1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::bigint[], $6::text[]
    ) AS incoming (id, last_active_at, device, ip_address, version, event_id)
    JOIN sessions AS known ON known.id = incoming.id
) AS seen
WHERE stored.id = seen.id
    AND (earlier OR seen.last_active_at > coalesce(stored.last_active_at, '-infinity'))

-- name: workers_apply_upsert_memberships
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

-- name: workers_apply_upsert_invitations
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

-- name: workers_apply_record_names
-- Keep the name of every snapshot, old or new, unless its user is erased.
INSERT INTO user_names AS stored (
    user_id, version, version_timestamp, version_event_id, first_name, last_name
)
SELECT incoming.*
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
    AS incoming (user_id, version)
JOIN users ON users.id = incoming.user_id
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
ORDER BY incoming.user_id, incoming.version
ON CONFLICT (user_id, version) DO UPDATE SET
    version_timestamp = excluded.version_timestamp,
    version_event_id = excluded.version_event_id,
    first_name = excluded.first_name,
    last_name = excluded.last_name
WHERE (excluded.version_timestamp, excluded.version_event_id COLLATE "C")
    > (stored.version_timestamp, stored.version_event_id COLLATE "C")

-- name: workers_count_count_sessions
-- How many sessions there are of each status that occurs; from the index on status alone.
SELECT status, count(*) AS sessions FROM sessions GROUP BY status ORDER BY status

-- name: workers_count_count_held_back
-- How many deleted users can still be restored; from the index of those.
SELECT count(*) FROM users WHERE erase_at IS NOT NULL

-- name: workers_derive_derive_user_data
-- Write anew what follows from the rows of each user: counts and histories are read off sets of
-- rows, never incremented. Only what differs is written. $2 is how long histories may be.
WITH differing AS MATERIALIZED (
    SELECT users.id AS user_id, derived.key, derived.value
    FROM users
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, max(last_active_at) AS last_active_at
        FROM sessions WHERE user_id = users.id AND NOT impersonated
    ) AS signed_in
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(entry ORDER BY created_at DESC, id DESC), '[]') AS history
        FROM (
            SELECT created_at, id, jsonb_strip_nulls(jsonb_build_object(
                'timestamp', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
                'device', device,
                'ip', ip_address,
                'success', true
            )) AS entry
            FROM sessions
            WHERE user_id = users.id AND NOT impersonated
            ORDER BY created_at DESC, id DESC
            LIMIT $2
        ) AS newest
    ) AS logins
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(entry ORDER BY version DESC), '[]') AS history
        FROM (
            SELECT version, jsonb_build_object(
                'first_name', first_name,
                'last_name', last_name,
                'timestamp', to_char(
                    to_timestamp(version / 1000) AT TIME ZONE 'UTC'
                        + version % 1000 * interval '1 millisecond',
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )
            ) AS entry
            FROM (
                SELECT
                    *,
                    row(first_name, last_name) IS DISTINCT FROM row(
                        lag(first_name) OVER earlier, lag(last_name) OVER earlier
                    ) OR row_number() OVER earlier = 1 AS changed
                FROM user_names WHERE user_id = users.id
                WINDOW earlier AS (ORDER BY version)
            ) AS compared
            WHERE changed
            ORDER BY version DESC
            LIMIT $2
        ) AS newest
    ) AS names
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM organization_invitations
            WHERE user_id = users.id AND organization_invitations.created_at <= users.created_at
        ) AS first
    ) AS invited
    CROSS JOIN LATERAL (
        VALUES
            ('session_count', to_jsonb(signed_in.number)),
            ('login_history', logins.history),
            ('name_history', names.history),
            ('last_active', to_jsonb(to_char(
                greatest(users.last_active_at, signed_in.last_active_at) AT TIME ZONE 'UTC',
                'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            ))),
            ('last_clerk_sync', to_jsonb(to_char(
                users.last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            ))),
            ('signup_date', to_jsonb(to_char(
                users.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            ))),
            ('signup_source', to_jsonb(
                CASE WHEN invited.first THEN 'invite' ELSE users.signup_source END
            ))
    ) AS derived (key, value)
    LEFT JOIN user_data AS known ON known.user_id = users.id AND known.key = derived.key
    WHERE users.id = ANY($1::uuid[])
        AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
        AND known.value IS DISTINCT FROM derived.value
),
gone AS (
    DELETE FROM user_data USING differing
    WHERE user_data.user_id = differing.user_id
        AND user_data.key = differing.key
        AND differing.value IS NULL
)
INSERT INTO user_data (user_id, key, value)
SELECT user_id, key, value FROM differing WHERE value IS NOT NULL ORDER BY user_id, key
ON CONFLICT (user_id, key) DO UPDATE SET value = excluded.value

-- name: workers_erase_erase_users
-- Leave nothing personal of the deleted users whose data is not held back: a tombstone, and in
-- the ledger and the outbox only that they were deleted. Their rows are locked already, in key
-- order; whoever writes what belongs to a user locks the user first, so that nothing is written
-- beside this.
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
invitations AS (DELETE FROM organization_invitations USING erased WHERE user_id = erased.id),
told AS (DELETE FROM outbox USING erased WHERE owner = erased.clerk_id AND state IS NOT NULL),
letters AS (
    UPDATE dead_letters SET clerk_user_id = NULL
    FROM erased
    WHERE dead_letters.clerk_user_id = erased.clerk_id
)
UPDATE events SET clerk_user_id = NULL
FROM erased
WHERE events.clerk_user_id = erased.clerk_id AND events.type <> 'user.deleted'

-- name: workers_erase_empty_organizations
-- A deleted organization has no members; that somebody was invited stays true. Its row is locked
-- already.
DELETE FROM organization_memberships
USING organizations
WHERE organization_id = organizations.id
    AND organizations.id = ANY($1::uuid[])
    AND organizations.status = 'deleted'

-- name: workers_halt_read_stops
-- What is known of the stops of these partitions, standing or released.
SELECT topic, partition, released_at, allowance
FROM line_stops
JOIN unnest($1::text[], $2::integer[]) AS asked (topic, partition) USING (topic, partition)

-- name: workers_halt_write_stops
-- Note stops; one that stands stays as it is.
INSERT INTO line_stops AS stored (
    topic, partition, rejects, events, reason, stopped_at, released_at, allowance
)
SELECT topic, partition, rejects, events, reason, now(), NULL, 0
FROM unnest($1::text[], $2::integer[], $3::integer[], $4::integer[], $5::text[])
    AS incoming (topic, partition, rejects, events, reason)
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO UPDATE SET
    rejects = excluded.rejects,
    events = excluded.events,
    reason = excluded.reason,
    stopped_at = excluded.stopped_at,
    released_at = NULL,
    allowance = 0
WHERE stored.released_at IS NOT NULL

-- name: workers_index_index_letters
-- Put letters into the index, and return how many are new; what is there keeps its state. Of
-- erased users nothing names them: their rows are locked, so that an erasure comes wholly before or
-- wholly after.
WITH people AS MATERIALIZED (
    SELECT clerk_id, deleted_at, erase_at FROM users
    WHERE clerk_id = ANY($10::text[])
    ORDER BY id
    FOR SHARE
),
indexed AS (
    INSERT INTO dead_letters (
        topic, partition, "offset", dead_at, source_topic, source_partition, source_offset,
        event_id, type, clerk_user_id, error_class, error_code, reason, attempts,
        first_failed_at, replays, edited, state
    )
    SELECT
        topic, partition, "offset", dead_at, source_topic, source_partition, source_offset,
        event_id, type,
        CASE
            WHEN people.deleted_at IS NULL OR people.erase_at IS NOT NULL
            THEN incoming.clerk_user_id
        END,
        error_class, error_code, reason, attempts, first_failed_at, replays, edited, state
    FROM unnest(
        $1::text[], $2::integer[], $3::bigint[], $4::timestamptz[], $5::text[], $6::integer[],
        $7::bigint[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::integer[], $15::timestamptz[], $16::integer[], $17::boolean[], $18::text[]
    ) AS incoming (
        topic, partition, "offset", dead_at, source_topic, source_partition, source_offset,
        event_id, type, clerk_user_id, error_class, error_code, reason, attempts,
        first_failed_at, replays, edited, state
    )
    LEFT JOIN people ON people.clerk_id = incoming.clerk_user_id
    ORDER BY topic, partition, "offset"
    ON CONFLICT (topic, partition, "offset") DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM indexed

-- name: workers_record_record_events
-- Write the ledger. An event that is there already keeps its row: a repetition is no news, unless
-- it had failed and now ends otherwise. Of erased users only the deletion names them.
INSERT INTO events AS known (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, reason,
    topic, partition, "offset"
)
SELECT
    event_id, occurred_at, type,
    CASE
        WHEN users.deleted_at IS NULL OR users.erase_at IS NOT NULL OR type = 'user.deleted'
        THEN incoming.clerk_user_id
    END,
    received_at, now(), outcome, reason, topic, partition, "offset"
FROM unnest(
    $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[],
    $7::text[], $8::text[], $9::integer[], $10::bigint[]
) AS incoming (
    event_id, occurred_at, type, clerk_user_id, received_at, outcome, reason,
    topic, partition, "offset"
)
LEFT JOIN users ON users.clerk_id = incoming.clerk_user_id
ORDER BY event_id, occurred_at
ON CONFLICT (event_id, occurred_at) DO UPDATE SET
    outcome = excluded.outcome,
    reason = excluded.reason,
    applied_at = excluded.applied_at,
    topic = excluded.topic,
    partition = excluded.partition,
    "offset" = excluded."offset"
WHERE known.outcome IN ('dead', 'retrying') AND excluded.outcome <> known.outcome

-- name: workers_record_forget_failures
-- Of events that were replayed and are applied now, forget the rows of when they could not be
-- read: those have no time of their own, and with an edited payload another.
DELETE FROM events AS known
USING unnest($1::text[], $2::timestamptz[]) AS mended (event_id, occurred_at)
WHERE known.event_id = mended.event_id
    AND known.occurred_at <> mended.occurred_at
    AND known.outcome IN ('dead', 'retrying')

-- name: workers_fetch_fetch_changes
-- The next changes after $1, $2 at most, in their order.
SELECT position, topic, key, type, state
FROM outbox
WHERE position > $1
ORDER BY position
LIMIT $2

-- name: workers_hold_try_to_hold
-- Be the one relay that publishes, unless another one is; until the session ends.
SELECT pg_try_advisory_lock(6241359)

-- name: workers_measure_measure_backlog
-- How many changes are not on their topics, counted up to $2, and how long the oldest one waits.
-- $1 is what the active relay knows better than the row that it writes now and then.
SELECT
    count(*) AS pending,
    coalesce(extract(epoch FROM clock_timestamp()) - min(position) / 1000000.0, 0)::float AS lag
FROM (
    SELECT position
    FROM outbox
    WHERE position > greatest(
        $1::bigint, (SELECT position FROM relay_progress WHERE name = 'outbox')
    )
    ORDER BY position
    LIMIT $2
) AS waiting

-- name: workers_note_read_progress
-- Where the outbox was published up to when that was noted; no row before the first time.
SELECT position FROM relay_progress WHERE name = 'outbox'

-- name: workers_note_note_progress
-- Note that all up to $1 is on the topics; never less than was noted before.
INSERT INTO relay_progress AS noted (name, position, published_at)
VALUES ('outbox', $1, clock_timestamp())
ON CONFLICT (name) DO UPDATE
SET position = excluded.position, published_at = excluded.published_at
WHERE noted.position < excluded.position

-- name: workers_tell_lock_outbox
-- Wait for whoever is telling, until they have committed: so that positions become visible in
-- their order, and who has read one has missed none before it. A statement of its own, because
-- the next one must see what they have written; after every other lock, so that nobody waits in
-- a circle.
SELECT pg_advisory_xact_lock(6241358)

-- name: workers_tell_tell_users
-- Put the state of users into the outbox, and wake who waits for it. $2 is who was not there
-- before, $3 the clerk id of those who are gone without a
-- trace. Positions go on with the clock, also in a database that was restored from a backup.
WITH start AS (
    SELECT greatest(
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        (SELECT max(position) FROM outbox) + 1,
        (SELECT position FROM relay_progress WHERE name = 'outbox') + 1
    ) AS position
),
told AS (
    INSERT INTO outbox (position, topic, key, type, owner, state)
    SELECT
        changed.place, 'user.changes', coalesce(users.clerk_id, changed.gone),
        CASE
            WHEN users.status = 'deleted' OR changed.gone IS NOT NULL THEN 'clerkwork.user.deleted'
            WHEN users.status = 'pending' THEN 'clerkwork.canary'
            WHEN changed.created THEN 'clerkwork.user.created'
            ELSE 'clerkwork.user.updated'
        END,
        coalesce(users.clerk_id, changed.gone),
        CASE WHEN users.status NOT IN ('deleted', 'pending') THEN json_build_object(
            'schema_version', 1,
            'sequence', changed.place,
            'version', users.version,
            'id', users.id,
            'clerk_id', users.clerk_id,
            'email', users.email,
            'email_verified', users.email_verified,
            'first_name', users.first_name,
            'last_name', users.last_name,
            'username', users.username,
            'image_url', users.image_url,
            'external_id', users.external_id,
            'role', users.role,
            'status', users.status,
            'public_metadata', users.public_metadata,
            'created_at',
            to_char(users.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        ) END
    FROM (
        SELECT *, start.position + row_number() OVER (ORDER BY id) - 1 AS place
        FROM start, unnest($1::uuid[], $2::boolean[], $3::text[]) AS incoming (id, created, gone)
    ) AS changed
    LEFT JOIN users ON users.id = changed.id
    WHERE coalesce(users.clerk_id, changed.gone) IS NOT NULL
    RETURNING position
)
SELECT pg_notify('clerkwork_outbox', max(position)::text) FROM told HAVING count(*) > 0

-- name: api_admit_read_caller
-- What the database says of a caller and of the session they come with, both by primary key;
-- always one row.
SELECT
    caller.role AS caller_role,
    caller.status AS caller_status,
    session.status AS session_status
FROM (VALUES ($1::uuid, $2::uuid)) AS asked (user_id, session_id)
LEFT JOIN users AS caller ON caller.id = asked.user_id
LEFT JOIN sessions AS session ON session.id = asked.session_id;

-- name: api_follow_read_head
-- How far the outbox reaches.
SELECT greatest(
    (SELECT max(position) FROM outbox),
    (SELECT position FROM relay_progress WHERE name = 'outbox'),
    0
);

-- name: api_follow_read_on
-- The next changes after $1, by outbox_pkey, and who may see them; with the standing of whose
-- they are. The state of whom is deleted by now is shown to nobody.
SELECT
    next.position,
    next.topic,
    next.type,
    next.key,
    next.state,
    next.owner,
    next.public,
    next.type = 'clerkwork.canary'
        OR next.state IS NOT NULL AND owner.status IS NOT DISTINCT FROM 'deleted' AS hidden,
    owner.id AS owner_id,
    owner.role AS owner_role,
    owner.status AS owner_status
FROM (
    SELECT * FROM outbox WHERE position > $1::bigint ORDER BY position LIMIT $2::integer
) AS next
LEFT JOIN users AS owner ON owner.clerk_id = next.owner
ORDER BY next.position;

-- name: api_follow_read_standings
-- What the database says of these callers, by primary key.
SELECT id, role, status FROM users WHERE id = ANY($1::uuid[]);

-- name: api_read_read_standing
-- What the database says of a caller, by primary key.
SELECT role AS caller_role, status AS caller_status FROM users WHERE id = $1;

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

-- name: api_read_read_changes
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

-- name: api_read_read_versions
-- How new some users are; those who are not there are left out.
SELECT id, status, version FROM users WHERE id = ANY($1::uuid[]);
