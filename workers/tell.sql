-- name: lock_outbox
-- Wait for whoever is telling, until they have committed: so that positions become visible in
-- their order, and who has read one has missed none before it. A statement of its own, because
-- the next one must see what they have written; after every other lock, so that nobody waits in
-- a circle.
SELECT pg_advisory_xact_lock(6241358)

-- name: tell_users
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

-- name: see_posts
-- The living posts of these users, by the index on user_id.
SELECT posts.id, users.clerk_id AS owner, posts.status = 'published' AS public
FROM posts
JOIN users ON users.id = posts.user_id
WHERE posts.user_id = ANY($1::uuid[])
    AND posts.created_at IS NOT NULL
    AND posts.deleted_at IS NULL

-- name: tell_posts
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
