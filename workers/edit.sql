-- name: edit_posts
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

-- name: edit_data
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
