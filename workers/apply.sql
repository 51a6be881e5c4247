-- name: upsert_users
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

-- name: raise_last_seen
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

-- name: record_events
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
