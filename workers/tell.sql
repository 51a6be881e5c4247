-- name: lock_outbox
-- Wait for whoever is telling, until they have committed: so that positions become visible in
-- their order, and who has read one has missed none before it. A statement of its own, because
-- the next one must see what they have written; after every other lock, so that nobody waits in
-- a circle.
SELECT pg_advisory_xact_lock(6241358)

-- name: tell_users
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
