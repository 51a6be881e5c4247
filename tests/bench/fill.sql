-- name: hurry
-- While tables are filled nothing has to survive a crash, and nobody vacuums beside it.
SELECT format('ALTER SYSTEM SET %s = %L', name, value) AS statement
FROM unnest(
    '{fsync, full_page_writes, max_wal_size, autovacuum}'::text[], '{off, off, 16GB, off}'::text[]
) AS setting (name, value)

-- name: take_time
SELECT format('ALTER SYSTEM RESET %s', name) AS statement
FROM unnest('{fsync, full_page_writes, max_wal_size, autovacuum}'::text[]) AS name

-- name: make_seldom
-- Checkpoints are as seldom as deploy/docs/scale.md has it for a large database.
SELECT format('ALTER SYSTEM SET %s = %L', name, value) AS statement
FROM unnest('{max_wal_size, checkpoint_timeout}'::text[], '{32GB, 30min}'::text[])
    AS setting (name, value)

-- name: make_usual
SELECT format('ALTER SYSTEM RESET %s', name) AS statement
FROM unnest('{max_wal_size, checkpoint_timeout}'::text[]) AS name

-- name: trust
-- Keys are derived, so that no foreign key has to be looked up.
SET session_replication_role = replica

-- name: make_months
-- Statements that give the ledger its months, this one the last but one.
SELECT format(
    'CREATE TABLE IF NOT EXISTS events_%s PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
    to_char(begins, 'YYYY_MM'), begins, begins + interval '1 month'
) AS statement
FROM generate_series(
    date_trunc('month', now(), 'UTC') - ($1::integer - 2) * interval '1 month',
    date_trunc('month', now(), 'UTC') + interval '1 month', interval '1 month'
) AS begins

-- name: make_people
-- Who is to be there: numbers, the ids that Clerk would give them and the keys derived from those.
CREATE UNLOGGED TABLE people (
    n integer PRIMARY KEY, clerk_id text, id uuid, session_ids uuid[]
)

-- name: fill_users
INSERT INTO users (
    id, clerk_id, email, email_verified, first_name, last_name, image_url, status,
    public_metadata, last_sign_in_at, last_active_at, created_at, updated_at, version,
    version_timestamp, version_event_id, signup_source, last_event_at
)
SELECT
    id, clerk_id, 'nadia.quill.' || n || '@example.com', true, 'Nadia', 'Quill',
    'https://img.clerk.com/' || repeat('x', 140), 'active', '{"plan": "team", "seats": 1}',
    at, at, to_timestamp(1767225600 + n), at, ms, ms,
    'msg_' || to_char(n, 'FM0000000000') || left(md5(n || 'u'), 17),
    'clerk', at
FROM (
    SELECT *, $3::timestamptz - n % 6 * interval '30 days' AS at,
        (extract(epoch FROM $3::timestamptz - n % 6 * interval '30 days') * 1000)::bigint AS ms
    FROM people WHERE n >= $1 AND n < $2
) AS known

-- name: fill_names
INSERT INTO user_names (
    user_id, first_name, last_name, version, version_timestamp, version_event_id
)
SELECT users.id, first_name, last_name, version, version_timestamp, version_event_id
FROM people JOIN users USING (id) WHERE n >= $1 AND n < $2 AND $3::timestamptz IS NOT NULL

-- name: fill_sessions
-- Two sign-ins of each.
INSERT INTO sessions (
    id, clerk_id, user_id, status, device, ip_address, last_active_at, expire_at, abandon_at,
    created_at, updated_at, version, version_timestamp, version_event_id, activity_version,
    activity_event_id
)
SELECT
    session_ids[s], 'sess_' || to_char(n * 2 + s, 'FM0000000000') || left(md5(n * 2 + s || 's'), 17), id,
    'ended', 'Chrome on Macintosh', '203.0.113.24', at, at + interval '7 days',
    at + interval '30 days', at, at, ms, ms, 'msg_' || md5(n * 2 + s || 'm'), ms,
    'msg_' || md5(n * 2 + s || 'm')
FROM (
    SELECT *, $3::timestamptz - (n + s) % 6 * interval '30 days' AS at,
        (extract(epoch FROM $3::timestamptz - (n + s) % 6 * interval '30 days') * 1000)::bigint AS ms
    FROM people, generate_series(1, 2) AS s WHERE n >= $1 AND n < $2
) AS known

-- name: fill_user_data
-- What a worker derives, and preferences of a third.
INSERT INTO user_data (user_id, key, value)
SELECT people.id, key, value
FROM people JOIN users USING (id)
CROSS JOIN LATERAL (
    SELECT to_jsonb(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS latest,
        to_jsonb(to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')) AS signup
    FROM (SELECT last_event_at AS at) AS named
) AS times
CROSS JOIN LATERAL (
    VALUES
        ('session_count', '2'::jsonb),
        ('login_history', jsonb_build_array(
            jsonb_build_object('timestamp', latest, 'device', 'Chrome on Macintosh', 'ip', '203.0.113.24', 'success', true),
            jsonb_build_object('timestamp', signup, 'device', 'Chrome on Macintosh', 'ip', '203.0.113.24', 'success', true)
        )),
        ('name_history', jsonb_build_array(jsonb_build_object(
            'first_name', first_name, 'last_name', last_name, 'timestamp', signup
        ))),
        ('last_active', latest), ('last_clerk_sync', latest), ('signup_date', signup),
        ('signup_source', '"clerk"'),
        (CASE WHEN n % 3 = 0 THEN 'preferences' END, '{"theme": "dark", "locale": "en"}')
) AS derived (key, value)
WHERE n >= $1 AND n < $2 AND key IS NOT NULL AND $3::timestamptz IS NOT NULL

-- name: fill_events
-- Four events of each over six months.
INSERT INTO events (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, topic, partition,
    "offset"
)
SELECT
    'msg_' || to_char(n * 4 + e, 'FM0000000000') || left(md5(n * 4 + e || 'e'), 17),
    $3::timestamptz - (n + e) % 6 * interval '30 days',
    (ARRAY['user.created', 'session.created', 'user.updated', 'session.ended'])[e], clerk_id,
    now(), now(), 'applied', 'clerk.user-events', n % 12, n * 4 + e
FROM people, generate_series(1, 4) AS e WHERE n >= $1 AND n < $2

-- name: fill_outbox
-- What a tenth was told of lately.
INSERT INTO outbox (position, topic, key, type, owner, state)
SELECT
    (extract(epoch FROM $3::timestamptz) * 1000000)::bigint - 10000000000 + n, 'user.changes',
    users.clerk_id, 'clerkwork.user.updated', users.clerk_id,
    json_build_object(
        'schema_version', 1, 'sequence', n, 'version', version, 'id', users.id, 'clerk_id',
        users.clerk_id, 'email', email, 'email_verified', email_verified, 'first_name', first_name,
        'last_name', last_name, 'username', username, 'image_url', image_url, 'external_id',
        external_id, 'role', role, 'status', status, 'public_metadata', public_metadata,
        'created_at', '2026-01-01T00:00:00.000Z'
    )
FROM people JOIN users USING (id) WHERE n >= $1 AND n < $2 AND n % 10 = 0
