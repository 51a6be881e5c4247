-- name: lock_outbox
-- As workers do it.
SELECT pg_advisory_xact_lock(6241358);

-- name: tell
-- Tell $1 changes of some of $2 users, each of about 600 bytes.
WITH start AS (
    SELECT greatest(
        (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
        (SELECT max(position) FROM outbox) + 1
    ) AS position
),
told AS (
    INSERT INTO outbox (position, topic, key, type, owner, state)
    SELECT position + n, 'user.changes', key, 'clerkwork.user.updated', key,
        json_build_object(
            'schema_version', 1, 'sequence', position + n, 'version', position / 1000,
            'id', gen_random_uuid(), 'clerk_id', key, 'email', key || '@example.com',
            'email_verified', true, 'first_name', 'Ada', 'last_name', 'Lovelace',
            'username', null, 'image_url', 'https://img.clerk.com/' || repeat('x', 120),
            'external_id', null, 'role', 'user', 'status', 'active',
            'public_metadata', json_build_object('plan', 'team', 'seats', n),
            'created_at', '2026-01-01T00:00:00.000Z'
        )
    FROM start, generate_series(0, $1::int - 1) AS n,
        LATERAL (SELECT 'user_2bench' || lpad((random() * $2)::int::text, 20, '0') || n * 0)
            AS named (key)
    RETURNING position
)
SELECT max(position), pg_notify('clerkwork_outbox', max(position)::text) FROM told
