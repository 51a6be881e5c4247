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

-- name: workers_apply_find_users
-- Who has a row; none is locked yet, for new rows come first.
SELECT id FROM users WHERE id = ANY($1::uuid[])

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
RETURNING id, status <> 'pending' AS created, false AS differs, true AS moved, NULL AS calm_since

-- name: workers_apply_upsert_users
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

-- name: workers_apply_raise_sessions
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

-- name: workers_count_count_sessions
-- How many sessions there are of each status that occurs; from the index on status alone.
SELECT status, count(*) AS sessions FROM sessions GROUP BY status ORDER BY status

-- name: workers_count_count_held_back
-- How many deleted users can still be restored; from the index of those.
SELECT count(*) FROM users WHERE erase_at IS NOT NULL

-- name: workers_count_count_letters
-- How many dead letters there are of each state that occurs, and how long ago the oldest died;
-- from the index on state and time alone.
SELECT
    state,
    count(*) AS letters,
    greatest(extract(epoch FROM now() - min(dead_at)), 0)::float8 AS oldest_s
FROM dead_letters
GROUP BY state
ORDER BY state

-- name: workers_count_count_stops
-- How many partitions are stopped. The table has a row for each partition that ever was, at most.
SELECT count(*) FROM line_stops WHERE released_at IS NULL

-- name: workers_count_count_months_ahead
-- How many months after this one the ledger has partitions for, up to the first that is missing and
-- to 120; from the catalogue.
WITH covered AS (
    SELECT
        substring(bounds FROM $$FROM \('([^']+)'\)$$)::timestamptz AS begins,
        substring(bounds FROM $$TO \('([^']+)'\)$$)::timestamptz AS ends
    FROM pg_inherits
    JOIN pg_class AS relation ON relation.oid = inhrelid
    CROSS JOIN LATERAL pg_get_expr(relation.relpartbound, relation.oid) AS bounds
    WHERE inhparent = 'events'::regclass AND bounds <> 'DEFAULT'
),
months AS (
    SELECT
        number,
        (this + make_interval(months => number)) AT TIME ZONE 'UTC' AS begins,
        (this + make_interval(months => number + 1)) AT TIME ZONE 'UTC' AS ends
    FROM generate_series(1, 121) AS number
    CROSS JOIN date_trunc('month', now() AT TIME ZONE 'UTC') AS this
)
SELECT min(number) - 1
FROM months
WHERE number = 121 OR NOT EXISTS (
    SELECT FROM covered
    WHERE coalesce(covered.begins <= months.begins, true)
        AND coalesce(covered.ends >= months.ends, true)
)

-- name: workers_derive_derive_user_data
-- Write anew what follows from the rows of each user: counts and histories are read off sets of
-- rows, never incremented. Only what differs is written. $2 is for whom more than names and the
-- latest event says something new, $3 for whom names do; $4 is how long histories may be.
WITH differing AS MATERIALIZED (
    SELECT users.id AS user_id, derived.key, derived.value
    FROM unnest($1::uuid[], $2::boolean[], $3::boolean[]) AS due (id, rows, names)
    JOIN users ON users.id = due.id
    CROSS JOIN LATERAL (
        SELECT count(*) AS number, max(last_active_at) AS last_active_at
        FROM sessions WHERE due.rows AND user_id = users.id AND NOT impersonated
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
            WHERE due.rows AND user_id = users.id AND NOT impersonated
            ORDER BY created_at DESC, id DESC
            LIMIT $4
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
                FROM user_names WHERE due.names AND user_id = users.id
                WINDOW earlier AS (ORDER BY version)
            ) AS compared
            WHERE changed
            ORDER BY version DESC
            LIMIT $4
        ) AS newest
    ) AS names
    CROSS JOIN LATERAL (
        SELECT EXISTS (
            SELECT FROM organization_invitations
            WHERE due.rows
                AND user_id = users.id
                AND organization_invitations.created_at <= users.created_at
        ) AS first
    ) AS invited
    -- A list of VALUES is compiled anew for each user: ExecInitExprList in nodeValuesscan.c.
    CROSS JOIN LATERAL (
        SELECT
            unnest(ARRAY[
                'session_count', 'login_history', 'name_history', 'last_active',
                'last_clerk_sync', 'signup_date', 'signup_source'
            ]) AS key,
            unnest(ARRAY[
                due.rows, due.rows, due.names, due.rows, true, due.rows, due.rows
            ]) AS is_due,
            unnest(ARRAY[
                to_jsonb(signed_in.number),
                logins.history,
                names.history,
                to_jsonb(to_char(
                    greatest(users.last_active_at, signed_in.last_active_at) AT TIME ZONE 'UTC',
                    'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )),
                to_jsonb(to_char(
                    users.last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )),
                to_jsonb(to_char(
                    users.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                )),
                to_jsonb(CASE WHEN invited.first THEN 'invite' ELSE users.signup_source END)
            ]) AS value
    ) AS derived
    LEFT JOIN user_data AS known ON known.user_id = users.id AND known.key = derived.key
    -- Who has no history of names yet has no name either: the first of them is news.
    WHERE (derived.is_due OR derived.key = 'name_history' AND known.key IS NULL)
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

-- name: workers_derive_begin_user_data
-- Write the same for users who are new in this transaction, of whom there is nothing else yet but
-- a name at most: no sessions, no invitations, and nothing to compare with.
INSERT INTO user_data (user_id, key, value)
SELECT users.id, derived.key, derived.value
FROM users
LEFT JOIN user_names ON user_names.user_id = users.id
CROSS JOIN LATERAL (
    SELECT
        unnest(ARRAY[
            'last_active', 'last_clerk_sync', 'login_history', 'name_history', 'session_count',
            'signup_date', 'signup_source'
        ]) AS key,
        unnest(ARRAY[
            to_jsonb(to_char(
                users.last_active_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            )),
            to_jsonb(to_char(
                users.last_event_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            )),
            '[]',
            CASE
                WHEN user_names.user_id IS NULL THEN '[]'
                ELSE jsonb_build_array(jsonb_build_object(
                    'first_name', user_names.first_name,
                    'last_name', user_names.last_name,
                    'timestamp', to_char(
                        to_timestamp(user_names.version / 1000) AT TIME ZONE 'UTC'
                            + user_names.version % 1000 * interval '1 millisecond',
                        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
                    )
                ))
            END,
            '0',
            to_jsonb(to_char(
                users.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
            )),
            to_jsonb(users.signup_source)
        ]) AS value
) AS derived
WHERE users.id = ANY($1::uuid[])
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
    AND derived.value IS NOT NULL

-- name: workers_edit_edit_posts
-- Write what commands say of posts, unless their author is erased; the author's row is locked
-- already, so that what is read here is what is overwritten. The first end absorbs; else the first
-- creation counts, and of each field the last change. Returns what was changed, how others could
-- see it before, and whether they would see a difference.
WITH merged AS MATERIALIZED (
    SELECT
        said.id, said.user_id, users.clerk_id AS owner,
        users.status <> 'deleted' AS shown,
        stored.created_at IS NOT NULL AND users.status <> 'deleted' AS visible,
        CASE
            WHEN ends.first IS NOT NULL THEN ''
            WHEN chosen.title THEN said.title ELSE stored.title
        END AS title,
        CASE
            WHEN ends.first IS NOT NULL THEN ''
            WHEN chosen.body THEN said.body ELSE stored.body
        END AS body,
        CASE
            WHEN ends.first IS NOT NULL THEN 'draft'
            WHEN chosen.status THEN said.status ELSE stored.status
        END AS status,
        CASE WHEN ends.first IS NULL THEN begun.first END AS created_at,
        CASE
            WHEN ends.first IS NULL AND begun.first IS NOT NULL
            THEN to_timestamp(latest.version / 1000) + latest.version % 1000 * interval '1 millisecond'
        END AS updated_at,
        ends.first AS deleted_at,
        latest.version,
        CASE
            WHEN ends.first IS NOT NULL THEN 0
            WHEN chosen.title THEN said.title_version ELSE stored.title_version
        END AS title_version,
        CASE
            WHEN ends.first IS NOT NULL THEN ''
            WHEN chosen.title THEN said.title_event_id ELSE stored.title_event_id
        END AS title_event_id,
        CASE
            WHEN ends.first IS NOT NULL THEN 0
            WHEN chosen.body THEN said.body_version ELSE stored.body_version
        END AS body_version,
        CASE
            WHEN ends.first IS NOT NULL THEN ''
            WHEN chosen.body THEN said.body_event_id ELSE stored.body_event_id
        END AS body_event_id,
        CASE
            WHEN ends.first IS NOT NULL THEN 0
            WHEN chosen.status THEN said.status_version ELSE stored.status_version
        END AS status_version,
        CASE
            WHEN ends.first IS NOT NULL THEN ''
            WHEN chosen.status THEN said.status_event_id ELSE stored.status_event_id
        END AS status_event_id
    FROM unnest(
        $1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[],
        $5::text[], $6::bigint[], $7::text[], $8::text[], $9::bigint[], $10::text[],
        $11::text[], $12::bigint[], $13::text[]
    ) AS said (
        id, user_id, created_at, deleted_at,
        title, title_version, title_event_id, body, body_version, body_event_id,
        status, status_version, status_event_id
    )
    JOIN users ON users.id = said.user_id
        AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
    LEFT JOIN posts AS stored ON stored.id = said.id
    CROSS JOIN LATERAL (SELECT least(stored.deleted_at, said.deleted_at) AS first) AS ends
    CROSS JOIN LATERAL (SELECT least(stored.created_at, said.created_at) AS first) AS begun
    CROSS JOIN LATERAL (
        SELECT
            stored.id IS NULL AS new,
            said.created_at IS NOT NULL AND said.created_at <= begun.first AS counts,
            said.created_at < coalesce(stored.created_at, 'infinity') AS earlier
    ) AS creation
    CROSS JOIN LATERAL (
        -- A field that nobody has changed is the creation's, the first one's.
        SELECT
            creation.new OR CASE
                WHEN greatest(said.title_version, stored.title_version) > 0 THEN
                    (said.title_version, said.title_event_id COLLATE "C", said.title COLLATE "C")
                    > (stored.title_version, stored.title_event_id COLLATE "C", stored.title COLLATE "C")
                ELSE creation.counts AND
                    (creation.earlier OR said.title COLLATE "C" < stored.title COLLATE "C")
            END AS title,
            creation.new OR CASE
                WHEN greatest(said.body_version, stored.body_version) > 0 THEN
                    (said.body_version, said.body_event_id COLLATE "C", said.body COLLATE "C")
                    > (stored.body_version, stored.body_event_id COLLATE "C", stored.body COLLATE "C")
                ELSE creation.counts AND
                    (creation.earlier OR said.body COLLATE "C" < stored.body COLLATE "C")
            END AS body,
            creation.new OR CASE
                WHEN greatest(said.status_version, stored.status_version) > 0 THEN
                    (said.status_version, said.status_event_id COLLATE "C", said.status COLLATE "C")
                    > (stored.status_version, stored.status_event_id COLLATE "C", stored.status COLLATE "C")
                ELSE creation.counts AND
                    (creation.earlier OR said.status COLLATE "C" < stored.status COLLATE "C")
            END AS status
    ) AS chosen
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN ends.first IS NOT NULL THEN (extract(epoch FROM ends.first) * 1000)::bigint
            ELSE greatest(
                (extract(epoch FROM begun.first) * 1000)::bigint,
                said.title_version, said.body_version, said.status_version,
                stored.title_version, stored.body_version, stored.status_version
            )
        END AS version
    ) AS latest
),
changed AS MATERIALIZED (
    SELECT
        merged.*,
        visible AND stored.status = 'published' AS public,
        (visible OR shown AND merged.created_at IS NOT NULL) AND row(
            stored.title, stored.body, stored.status, stored.created_at, stored.version
        ) IS DISTINCT FROM row(
            merged.title, merged.body, merged.status, merged.created_at, merged.version
        ) AS differs
    FROM merged
    LEFT JOIN posts AS stored ON stored.id = merged.id
    WHERE stored.id IS NULL OR row(
        stored.title, stored.body, stored.status, stored.created_at, stored.deleted_at,
        stored.title_version, stored.title_event_id, stored.body_version, stored.body_event_id,
        stored.status_version, stored.status_event_id
    ) IS DISTINCT FROM row(
        merged.title, merged.body, merged.status, merged.created_at, merged.deleted_at,
        merged.title_version, merged.title_event_id, merged.body_version, merged.body_event_id,
        merged.status_version, merged.status_event_id
    )
),
written AS (
    INSERT INTO posts (
        id, user_id, title, body, status, created_at, updated_at, deleted_at, version,
        title_version, title_event_id, body_version, body_event_id, status_version,
        status_event_id
    )
    SELECT
        id, user_id, title, body, status, created_at, updated_at, deleted_at, version,
        title_version, title_event_id, body_version, body_event_id, status_version,
        status_event_id
    FROM changed
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET
        title = excluded.title,
        body = excluded.body,
        status = excluded.status,
        created_at = excluded.created_at,
        updated_at = excluded.updated_at,
        deleted_at = excluded.deleted_at,
        version = excluded.version,
        title_version = excluded.title_version,
        title_event_id = excluded.title_event_id,
        body_version = excluded.body_version,
        body_event_id = excluded.body_event_id,
        status_version = excluded.status_version,
        status_event_id = excluded.status_event_id
)
SELECT id, owner, visible, public, differs FROM changed

-- name: workers_edit_edit_data
-- Write what users say of themselves, unless they are erased; their rows are locked already. The
-- last command counts, and a deletion stays as a null: what is older comes to nothing. Returns
-- what was changed.
INSERT INTO user_data AS stored (user_id, key, value, version, version_event_id)
SELECT incoming.*
FROM unnest($1::uuid[], $2::text[], $3::jsonb[], $4::bigint[], $5::text[])
    AS incoming (user_id, key, value, version, version_event_id)
JOIN users ON users.id = incoming.user_id
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
ORDER BY incoming.user_id, incoming.key
ON CONFLICT (user_id, key) DO UPDATE SET
    value = excluded.value,
    version = excluded.version,
    version_event_id = excluded.version_event_id
WHERE (
    excluded.version, excluded.version_event_id COLLATE "C",
    coalesce(excluded.value::text, '') COLLATE "C"
) > (
    stored.version, stored.version_event_id COLLATE "C",
    coalesce(stored.value::text, '') COLLATE "C"
)
RETURNING stored.user_id, stored.key

-- name: workers_erase_find_erased
-- Who of these is a tombstone: nothing of theirs may be written. By the index on clerk_id.
SELECT id, clerk_id FROM users
WHERE clerk_id = ANY($1::text[]) AND deleted_at IS NOT NULL AND erase_at IS NULL

-- name: workers_erase_wait_for_erasures
-- Keep whoever erases waiting until this transaction ends. A statement of its own, because the
-- next ones must see what was erased until then; after the rows of users are locked.
SELECT pg_advisory_xact_lock_shared(6241360)

-- name: workers_erase_wait_for_names
-- Wait until those have committed who name users that have no row. A statement of its own, because
-- the next one must see what they have written.
SELECT pg_advisory_xact_lock(6241360)

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
their_posts AS (DELETE FROM posts USING erased WHERE user_id = erased.id),
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
WHERE events.clerk_user_id = erased.clerk_id
    AND events.type NOT IN ('user.deleted', 'clerkwork.absence.user')

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
-- Note stops. One that stands stays as it is, and so does a release that who stops has not seen:
-- it came between their look and this.
WITH incoming AS (
    SELECT topic, partition, rejects, events, reason, seen_release
    FROM unnest(
        $1::text[], $2::integer[], $3::integer[], $4::integer[], $5::text[], $6::timestamptz[]
    ) AS stop (topic, partition, rejects, events, reason, seen_release)
),
stopped_again AS (
    UPDATE line_stops AS stored SET
        rejects = incoming.rejects,
        events = incoming.events,
        reason = incoming.reason,
        stopped_at = now(),
        released_at = NULL,
        allowance = 0
    FROM incoming
    WHERE (stored.topic, stored.partition) = (incoming.topic, incoming.partition)
        AND stored.released_at = incoming.seen_release
)
INSERT INTO line_stops (
    topic, partition, rejects, events, reason, stopped_at, released_at, allowance
)
SELECT topic, partition, rejects, events, reason, now(), NULL, 0
FROM incoming
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO NOTHING

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
-- it had failed and now ends otherwise.
INSERT INTO events AS known (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, reason,
    topic, partition, "offset"
)
SELECT
    event_id, occurred_at, type, clerk_user_id, received_at, now(), outcome, reason, topic,
    partition, "offset"
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
SELECT position, topic, key, type, state, traceparent
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

-- name: workers_rename_add_names
-- Keep the names of snapshots that are newer than all before and have the same name, and those of
-- users who had none: no news for any history that is kept. Their users are locked and not erased,
-- as those below.
INSERT INTO user_names AS stored (
    user_id, version, version_timestamp, version_event_id, first_name, last_name
)
SELECT incoming.*
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
    AS incoming (user_id, version)
ORDER BY incoming.user_id, incoming.version

-- name: workers_rename_record_names
-- Keep the name of every other snapshot, old or new. Returns whose history is another now, or may
-- be: a name that follows the same one is no news.
WITH written AS (
    INSERT INTO user_names AS stored (
        user_id, version, version_timestamp, version_event_id, first_name, last_name
    )
    SELECT incoming.*
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[])
        AS incoming (user_id, version)
    ORDER BY incoming.user_id, incoming.version
    ON CONFLICT (user_id, version) DO UPDATE SET
        version_timestamp = excluded.version_timestamp,
        version_event_id = excluded.version_event_id,
        first_name = excluded.first_name,
        last_name = excluded.last_name
    WHERE (excluded.version_timestamp, excluded.version_event_id COLLATE "C")
        > (stored.version_timestamp, stored.version_event_id COLLATE "C")
    RETURNING
        stored.user_id, stored.version, stored.first_name, stored.last_name,
        old.version IS NOT NULL AS replaced
)
SELECT written.user_id
FROM written
LEFT JOIN LATERAL (
    SELECT version, first_name, last_name
    FROM user_names
    WHERE user_names.user_id = written.user_id AND user_names.version < written.version
    ORDER BY version DESC
    LIMIT 1
) AS earlier ON true
WHERE written.replaced
    OR earlier.version IS NULL
    OR row(earlier.first_name, earlier.last_name)
        IS DISTINCT FROM row(written.first_name, written.last_name)

-- name: workers_tell_lock_outbox
-- Wait for whoever is telling, until they have committed: so that positions become visible in
-- their order, and who has read one has missed none before it. A statement of its own, because
-- the next one must see what they have written; after every other lock, so that nobody waits in
-- a circle.
SELECT pg_advisory_xact_lock(6241358)

-- name: workers_tell_tell_users
-- Put the state of users into the outbox, and wake who waits for it. $2 is who was not there
-- before, $3 the clerk id of those who are gone without a
-- trace, $4 the trace of the event that caused it. Positions go on with the clock, also in a
-- database that was restored from a backup.
WITH start AS (
    SELECT greatest(
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        (SELECT max(position) FROM outbox) + 1,
        (SELECT position FROM relay_progress WHERE name = 'outbox') + 1
    ) AS position
),
told AS (
    INSERT INTO outbox (position, topic, key, type, owner, state, traceparent)
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
        ) END,
        changed.traceparent
    FROM (
        SELECT *, start.position + row_number() OVER (ORDER BY id) - 1 AS place
        FROM start, unnest($1::uuid[], $2::boolean[], $3::text[], $4::text[])
            AS incoming (id, created, gone, traceparent)
    ) AS changed
    LEFT JOIN users ON users.id = changed.id
    WHERE coalesce(users.clerk_id, changed.gone) IS NOT NULL
    RETURNING position
)
SELECT pg_notify('clerkwork_outbox', max(position)::text) FROM told HAVING count(*) > 0

-- name: workers_tell_see_posts
-- The living posts of these users, by the index on user_id.
SELECT posts.id, users.clerk_id AS owner, posts.status = 'published' AS public
FROM posts
JOIN users ON users.id = posts.user_id
WHERE posts.user_id = ANY($1::uuid[])
    AND posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL

-- name: workers_tell_tell_posts
-- Put the state of posts into the outbox, as tell_users does. $2 is whose they are, $3 whether they
-- were there for others before, $4 whether for everyone, $5 the trace of the event that caused it.
-- A post that is withdrawn is deleted for everyone, and there again for its author alone. What was
-- told before of one that is gone is forgotten, and of one that is withdrawn nobody else gets to
-- see it: by the index on the owner.
WITH start AS (
    SELECT greatest(
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        (SELECT max(position) FROM outbox) + 1,
        (SELECT position FROM relay_progress WHERE name = 'outbox') + 1
    ) AS position
),
changed AS MATERIALIZED (
    SELECT
        seen.*,
        seen.public AND posts.status = 'draft' AS withdrawn,
        posts.id IS NULL AS gone,
        posts.user_id, posts.version, posts.title, posts.body, posts.status, posts.created_at,
        posts.updated_at
    FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::boolean[], $5::text[])
        AS seen (id, owner, visible, public, traceparent)
    LEFT JOIN (posts JOIN users ON users.id = posts.user_id AND users.status <> 'deleted')
        ON posts.id = seen.id AND posts.created_at IS NOT NULL AND posts.deleted_at IS NULL
    WHERE seen.visible OR posts.id IS NOT NULL
),
placed AS (
    SELECT
        changed.*, step.ends,
        start.position + row_number() OVER (ORDER BY id, step.ends DESC) - 1 AS place
    FROM start, changed
    CROSS JOIN LATERAL (
        SELECT true AS ends WHERE gone OR withdrawn
        UNION ALL
        SELECT false WHERE NOT gone
    ) AS step
),
forgotten AS (
    DELETE FROM outbox
    USING changed
    WHERE outbox.owner = changed.owner
        AND outbox.topic = 'post.changes'
        AND outbox.key = changed.id::text
        AND changed.gone
        AND outbox.state IS NOT NULL
),
hidden AS (
    UPDATE outbox SET public = false
    FROM changed
    WHERE outbox.owner = changed.owner
        AND outbox.topic = 'post.changes'
        AND outbox.key = changed.id::text
        AND changed.withdrawn
        AND outbox.public
        AND outbox.state IS NOT NULL
),
told AS (
    INSERT INTO outbox (position, topic, key, type, owner, public, state, traceparent)
    SELECT
        place, 'post.changes', id::text,
        CASE
            WHEN ends THEN 'clerkwork.post.deleted'
            WHEN visible THEN 'clerkwork.post.updated'
            ELSE 'clerkwork.post.created'
        END,
        owner,
        CASE WHEN ends THEN public ELSE status = 'published' END,
        CASE WHEN NOT ends THEN json_build_object(
            'schema_version', 1,
            'sequence', place,
            'version', version,
            'id', id,
            'user_id', user_id,
            'clerk_user_id', owner,
            'title', title,
            'body', body,
            'status', status,
            'created_at', to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'updated_at', to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
        ) END,
        traceparent
    FROM placed
    RETURNING position
)
SELECT pg_notify('clerkwork_outbox', max(position)::text) FROM told HAVING count(*) > 0

-- name: api_admit_read_callers
-- What the database says of callers and of the sessions they come with, both by primary key; one
-- row for each that is asked for.
SELECT
    asked.user_id,
    asked.session_id,
    caller.role AS caller_role,
    caller.status AS caller_status,
    session.status AS session_status
FROM unnest($1::uuid[], $2::uuid[]) AS asked (user_id, session_id)
LEFT JOIN users AS caller ON caller.id = asked.user_id
LEFT JOIN sessions AS session ON session.id = asked.session_id;

-- name: api_warm_warm_users
-- Living users whom callers may ask for first: the authors of the newest published posts, by
-- posts_published_created_at_id_idx, and the newest users, by users_created_at_id_idx; $1 of each
-- at most, and $1 together.
SELECT
    users.id,
    users.clerk_id,
    users.first_name,
    users.last_name,
    users.username,
    users.image_url,
    users.created_at,
    users.status
FROM (
    (
        SELECT posts.user_id AS id
        FROM posts
        WHERE posts.deleted_at IS NULL
            AND posts.created_at IS NOT NULL
            AND posts.status = 'published'
        ORDER BY posts.created_at DESC, posts.id DESC
        LIMIT $1::integer
    )
    UNION
    (
        SELECT newest.id
        FROM users AS newest
        WHERE newest.status NOT IN ('pending', 'deleted')
        ORDER BY newest.created_at DESC, newest.id DESC
        LIMIT $1::integer
    )
) AS wanted
INNER JOIN users ON users.id = wanted.id
WHERE users.status NOT IN ('pending', 'deleted')
LIMIT $1::integer;

-- name: api_follow_read_reach
-- How far the outbox reaches, and up to where nothing is left of it; one row.
SELECT
    coalesce(max(forgotten), 0) AS forgotten,
    greatest(
        (SELECT max(position) FROM outbox), max(progress.position), max(forgotten), 0
    ) AS head
FROM relay_progress AS progress
WHERE name = 'outbox';

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

-- name: api_awaited_read_awaited
-- How new some users are, by primary key, and whom some events are about, by the primary key of
-- each month; what is not there is left out. Of an event that is there twice, the newer row.
SELECT id, status, version, NULL AS event_id, NULL AS clerk_user_id
FROM users
WHERE id = ANY($1::uuid[])
UNION ALL
(
    SELECT DISTINCT ON (event_id) NULL, NULL, NULL, event_id, clerk_user_id
    FROM events
    WHERE event_id = ANY($2::text[])
    ORDER BY event_id, occurred_at DESC
);

-- name: api_changes_read_changes
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

-- name: api_data_read_data
-- A user, by primary key, and what is known of a living one, by user_data_pkey. No row where there
-- is no user, one at least where there is.
SELECT users.status, data.key, data.value
FROM users
LEFT JOIN user_data AS data
    ON data.user_id = users.id AND data.value IS NOT NULL AND users.status <> 'deleted'
WHERE users.id = $1
ORDER BY data.key;

-- name: api_events_list_events_of
-- A user, by primary key, and a page of what the ledger has of them, newest first, by
-- events_clerk_user_id_occurred_at_idx. No row where there is no user, one at least where there
-- is. Of who is deleted only the deletion shows, whether their data is held back or erased.
SELECT
    users.status AS user_status,
    page.*
FROM users
LEFT JOIN LATERAL (
    SELECT event_id, type, occurred_at, outcome
    FROM events
    WHERE clerk_user_id = users.clerk_id
        AND (users.status <> 'deleted' OR type IN ('user.deleted', 'clerkwork.absence.user'))
        AND (occurred_at, event_id) < (COALESCE($2::timestamptz, 'infinity'), COALESCE($3, ''))
    ORDER BY occurred_at DESC, event_id DESC
    LIMIT $4
) AS page ON true
WHERE users.id = $1
ORDER BY page.occurred_at DESC, page.event_id DESC;

-- name: api_events_read_event
-- What the ledger has of an event, by the primary key of each month. Where it has it twice, one row
-- is of when the event could not be read and had no time of its own: it is the older one.
SELECT
    event_id,
    type,
    clerk_user_id,
    outcome,
    reason,
    occurred_at,
    received_at,
    applied_at
FROM events
WHERE event_id = $1
ORDER BY occurred_at DESC
LIMIT 1;

-- name: api_organizations_read_organization
-- An organization, by primary key, and the membership of user $2 in it while it lasts. OFFSET 0:
-- it is looked for among the user's memberships, by organization_memberships_user_id_idx, never
-- among all members of a large organization.
SELECT
    organizations.id,
    organizations.clerk_id,
    organizations.name,
    organizations.slug,
    organizations.image_url,
    organizations.public_metadata,
    organizations.status,
    organizations.created_at,
    organizations.updated_at,
    organizations.deleted_at,
    organizations.version,
    membership.role AS member_role,
    membership.permissions AS member_permissions,
    membership.created_at AS member_created_at
FROM organizations
LEFT JOIN LATERAL (
    SELECT role, permissions, created_at
    FROM (
        SELECT organization_id, role, permissions, created_at
        FROM organization_memberships
        WHERE user_id = $2 AND deleted_at IS NULL
        OFFSET 0
    ) AS own
    WHERE own.organization_id = organizations.id
    ORDER BY created_at DESC
    LIMIT 1
) AS membership ON true
WHERE organizations.id = $1;

-- name: api_posts_read_post
-- A living post and its author, each by primary key.
SELECT
    posts.id,
    posts.user_id,
    posts.title,
    posts.body,
    posts.status,
    posts.created_at,
    posts.updated_at,
    posts.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM posts
JOIN users AS author ON author.id = posts.user_id
WHERE posts.id = $1
    AND posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL
    AND author.status <> 'deleted';

-- name: api_posts_list_posts
-- A page of all living posts with their authors, newest first, by posts_created_at_id_idx.
-- OFFSET 0 keeps the authors a lookup for each post of the page, whatever the planner guesses of
-- a limit that it does not know yet.
SELECT
    posts.id,
    posts.user_id,
    posts.title,
    posts.body,
    posts.status,
    posts.created_at,
    posts.updated_at,
    posts.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM posts
CROSS JOIN LATERAL (
    SELECT clerk_id, first_name, last_name, username, image_url
    FROM users
    WHERE id = posts.user_id AND status <> 'deleted'
    OFFSET 0
) AS author
WHERE posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL
    AND (posts.created_at, posts.id) < (
        COALESCE($1::timestamptz, 'infinity'),
        COALESCE($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
ORDER BY posts.created_at DESC, posts.id DESC
LIMIT $3;

-- name: api_posts_list_published_posts
-- The same of what is published, by posts_published_created_at_id_idx.
SELECT
    posts.id,
    posts.user_id,
    posts.title,
    posts.body,
    posts.status,
    posts.created_at,
    posts.updated_at,
    posts.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM posts
CROSS JOIN LATERAL (
    SELECT clerk_id, first_name, last_name, username, image_url
    FROM users
    WHERE id = posts.user_id AND status <> 'deleted'
    OFFSET 0
) AS author
WHERE posts.status = 'published'
    AND posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL
    AND (posts.created_at, posts.id) < (
        COALESCE($1::timestamptz, 'infinity'),
        COALESCE($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
    )
ORDER BY posts.created_at DESC, posts.id DESC
LIMIT $3;

-- name: api_posts_list_posts_of
-- A user, by primary key, and a page of their living posts, newest first, by
-- posts_user_id_created_at_id_idx. No row where there is no user, one at least where there is.
SELECT
    author.status AS author_status,
    page.id,
    author.id AS user_id,
    page.title,
    page.body,
    page.status,
    page.created_at,
    page.updated_at,
    page.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM users AS author
LEFT JOIN LATERAL (
    SELECT id, title, body, status, created_at, updated_at, version
    FROM posts
    WHERE user_id = author.id
        AND author.status <> 'deleted'
        AND created_at IS NOT NULL
        AND deleted_at IS NULL
        AND (created_at, id) < (
            COALESCE($2::timestamptz, 'infinity'),
            COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY created_at DESC, id DESC
    LIMIT $4
) AS page ON true
WHERE author.id = $1
ORDER BY page.created_at DESC, page.id DESC;

-- name: api_posts_list_published_posts_of
-- The same of what is published, by posts_published_user_id_created_at_id_idx.
SELECT
    author.status AS author_status,
    page.id,
    author.id AS user_id,
    page.title,
    page.body,
    page.status,
    page.created_at,
    page.updated_at,
    page.version,
    author.clerk_id AS author_clerk_id,
    author.first_name AS author_first_name,
    author.last_name AS author_last_name,
    author.username AS author_username,
    author.image_url AS author_image_url
FROM users AS author
LEFT JOIN LATERAL (
    SELECT id, title, body, status, created_at, updated_at, version
    FROM posts
    WHERE user_id = author.id
        AND author.status <> 'deleted'
        AND status = 'published'
        AND created_at IS NOT NULL
        AND deleted_at IS NULL
        AND (created_at, id) < (
            COALESCE($2::timestamptz, 'infinity'),
            COALESCE($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        )
    ORDER BY created_at DESC, id DESC
    LIMIT $4
) AS page ON true
WHERE author.id = $1
ORDER BY page.created_at DESC, page.id DESC;

-- name: api_profiles_read_profiles
-- Of users, by primary key, what every signed-in user sees of them, and whether they are there.
SELECT
    id,
    clerk_id,
    first_name,
    last_name,
    username,
    image_url,
    created_at,
    status
FROM users
WHERE id = ANY($1::uuid[]);

-- name: api_sessions_list_sessions
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

-- name: api_users_read_user
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

-- name: api_users_list_users
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
