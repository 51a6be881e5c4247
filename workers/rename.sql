-- name: add_names
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

-- name: record_names
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
