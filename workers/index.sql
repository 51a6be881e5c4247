-- name: index_letters
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
