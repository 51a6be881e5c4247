-- name: name_speakers
-- Those who are known by what they have said alone, in commands, which Kafka does not keep: posts
-- and user_data stay as they are and must have somebody to belong to. Returns who is new.
INSERT INTO rebuild.users (id, clerk_id)
SELECT id, clerk_id FROM users AS live
WHERE NOT EXISTS (SELECT FROM rebuild.users WHERE users.id = live.id)
    AND (
        EXISTS (SELECT FROM posts WHERE posts.user_id = live.id)
        OR EXISTS (
            SELECT FROM user_data
            WHERE user_data.user_id = live.id AND key = ANY($1::text[]) AND version > 0
        )
    )
RETURNING id

-- name: void_deletions
-- Give back whom an operator has restored since the filling began, as restore.sql does. The whole
-- table is read, as by the statements below.
UPDATE rebuild.users AS rebuilt SET
    status = rebuilt.held_status,
    deleted_at = NULL,
    deletion_event_id = NULL,
    held_status = NULL,
    erase_at = NULL
FROM users AS live
WHERE live.id = rebuilt.id
    AND rebuilt.erase_at IS NOT NULL
    AND rebuilt.deleted_at <= live.restored_at

-- name: copy_restorations
-- When that was.
UPDATE rebuild.users AS rebuilt SET restored_at = live.restored_at
FROM users AS live
WHERE live.id = rebuilt.id
    AND live.restored_at IS NOT NULL
    AND rebuilt.restored_at IS DISTINCT FROM live.restored_at

-- name: settle_deletions
-- Hold back whom the live tables hold back, for as long. Of who is alive or missing there, the
-- deletion was lost: hold them back for $1 from when the ledger says that it was applied, found by
-- primary key, or else from when it happened. Returns who is held back, and until when; null: no
-- more.
UPDATE rebuild.users AS rebuilt SET erase_at = CASE
    WHEN live.deleted_at IS NOT NULL THEN live.erase_at
    WHEN lost.erase_at > now() THEN lost.erase_at
END
FROM rebuild.users AS held
LEFT JOIN users AS live ON live.id = held.id
CROSS JOIN LATERAL (
    SELECT $1::interval + coalesce(
        (SELECT min(applied_at) FROM events WHERE event_id = held.deletion_event_id),
        held.deleted_at
    ) AS erase_at
) AS lost
WHERE rebuilt.id = held.id AND rebuilt.erase_at IS NOT NULL
RETURNING rebuilt.id, rebuilt.erase_at

-- name: read_search_path
-- To set it again.
SELECT current_setting('search_path')

-- name: set_search_path
-- Until the end of the transaction.
SELECT set_config('search_path', $1, true)

-- name: forget_application_data
-- Drop what was copied before and is gone since.
DELETE FROM rebuild.user_data AS rebuilt
WHERE key = ANY($1::text[])
    AND NOT EXISTS (
        SELECT FROM user_data AS live WHERE live.user_id = rebuilt.user_id AND live.key = rebuilt.key
    )

-- name: copy_application_data
-- What users, and the application, have said of users who are there, with when.
INSERT INTO rebuild.user_data AS rebuilt (user_id, key, value, version, version_event_id)
SELECT live.user_id, live.key, live.value, live.version, live.version_event_id
FROM user_data AS live
JOIN rebuild.users ON users.id = live.user_id
    AND (users.deleted_at IS NULL OR users.erase_at IS NOT NULL)
WHERE live.key = ANY($1::text[])
ON CONFLICT (user_id, key) DO UPDATE SET
    value = excluded.value,
    version = excluded.version,
    version_event_id = excluded.version_event_id
WHERE row(rebuilt.value, rebuilt.version, rebuilt.version_event_id)
    IS DISTINCT FROM row(excluded.value, excluded.version, excluded.version_event_id)

-- name: copy_session_ends
-- Sessions that maintenance has marked rightly, which says when it last ran.
UPDATE rebuild.sessions AS rebuilt SET status = live.status
FROM sessions AS live
WHERE live.id = rebuilt.id
    AND rebuilt.status IN ('pending', 'active', 'expired')
    AND live.status <> rebuilt.status
    AND (
        live.status = 'expired' AND rebuilt.expire_at <= now()
        OR live.status = 'abandoned' AND rebuilt.abandon_at <= now()
    )

-- name: end_missing_sessions
-- Those that the live table lacks are marked as maintenance would.
UPDATE rebuild.sessions AS rebuilt SET
    status = CASE WHEN abandon_at <= now() THEN 'abandoned' ELSE 'expired' END
WHERE (
        status IN ('pending', 'active', 'expired') AND abandon_at <= now()
        OR status IN ('pending', 'active') AND expire_at <= now()
    )
    AND NOT EXISTS (SELECT FROM sessions AS live WHERE live.id = rebuilt.id)
