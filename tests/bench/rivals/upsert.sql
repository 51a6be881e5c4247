-- name: ready_table
CREATE TABLE ready (
    id text PRIMARY KEY, email text, first_name text, last_name text, metadata jsonb, version bigint
);

-- name: upsert_ready
-- The limit: whole rows into one table, the newest wins; nothing is read, kept or told.
INSERT INTO ready AS stored (id, email, first_name, last_name, metadata, version)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[])
    AS incoming (id)
ORDER BY incoming.id
ON CONFLICT (id) DO UPDATE SET
    email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
    metadata = excluded.metadata, version = excluded.version
WHERE excluded.version > stored.version;

-- name: upsert_tables
-- What an event leaves at least, ready made: its user, its line of the ledger, what is told.
WITH incoming AS MATERIALIZED (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[])
        AS incoming (id, email, first_name, last_name, metadata, version)
    ORDER BY id
),
people AS (
    INSERT INTO users AS stored (
        id, clerk_id, status, email, first_name, last_name, public_metadata, created_at, updated_at,
        version
    )
    SELECT md5(id)::uuid, id, 'active', email, first_name, last_name, metadata, now(), now(),
        version
    FROM incoming
    ON CONFLICT (id) DO UPDATE SET
        email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
        public_metadata = excluded.public_metadata, version = excluded.version,
        updated_at = excluded.updated_at
    WHERE excluded.version > stored.version
),
ledger AS (
    INSERT INTO events (event_id, occurred_at, type, clerk_user_id, received_at, applied_at,
        outcome, topic, partition, "offset")
    SELECT 'msg_' || version, now(), 'user.updated', id, now(), now(), 'applied',
        'clerk.user-events', 0, version
    FROM incoming
)
INSERT INTO outbox (position, topic, key, type, owner, state)
SELECT version, 'user.changes', id, 'clerkwork.user.updated', id, json_build_object(
    'schema_version', 1, 'clerk_id', id, 'email', email, 'first_name', first_name,
    'last_name', last_name, 'public_metadata', metadata)
FROM incoming;
