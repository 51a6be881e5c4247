-- name: find_obstacles
-- Letters before the offset $3 of a partition that an operation has taken, and those of $4 that
-- still wait: nobody may remove them.
SELECT "offset", state FROM dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" < $3
    AND (state = 'replaying' OR (state IN ('open', 'parked') AND "offset" = ANY($4::bigint[])))
ORDER BY "offset"

-- name: give_up
-- Give up the letters at the offsets $3 of a partition, as the operation $4 of $5, described as $6.
WITH purged AS (
    UPDATE dead_letters SET state = 'purged', operation_id = $4
    WHERE topic = $1 AND partition = $2 AND "offset" = ANY($3::bigint[])
        AND state IN ('open', 'parked')
    RETURNING 1
)
INSERT INTO operations (id, action, operator, selection, planned, done, started_at, finished_at)
SELECT $4, 'purge', $5, $6::jsonb, count(*), count(*), now(), now() FROM purged
HAVING count(*) > 0

-- name: find_done
-- Which of the letters at these offsets of a partition need not be kept: they were replayed or
-- given up; or a copy was stored by somebody who did not come to note it, and is the letter now.
SELECT letter."offset", letter.state IN ('open', 'parked') AS copied
FROM dead_letters AS letter
WHERE letter.topic = $1 AND letter.partition = $2 AND letter."offset" = ANY($3::bigint[])
    AND (
        letter.state IN ('replayed', 'purged')
        OR EXISTS (
            SELECT FROM dead_letters AS copy
            WHERE copy.event_id = letter.event_id
                AND copy.topic = letter.topic
                AND copy.partition = letter.partition
                AND copy."offset" > letter."offset"
                AND copy.dead_at = letter.dead_at
                AND copy.replays = letter.replays
        )
    )

-- name: move_letters
-- Let the index say that letters of the partition $2 of the topic $1 lie elsewhere in it: no longer
-- at $3 but at $4. Where a worker was faster, its row gives way to what is known.
WITH moved AS (
    DELETE FROM dead_letters AS letter
    USING unnest($3::bigint[], $4::bigint[]) AS way (old_offset, new_offset)
    WHERE letter.topic = $1 AND letter.partition = $2 AND letter."offset" = way.old_offset
    RETURNING letter.*, way.new_offset
)
INSERT INTO dead_letters AS stored (
    topic, partition, "offset", dead_at, source_topic, source_partition, source_offset,
    event_id, type, clerk_user_id, error_class, error_code, reason, attempts,
    first_failed_at, replays, edited, state, operation_id
)
SELECT
    topic, partition, new_offset, dead_at, source_topic, source_partition, source_offset,
    event_id, type, clerk_user_id, error_class, error_code, reason, attempts,
    first_failed_at, replays, edited, state, operation_id
FROM moved
ON CONFLICT (topic, partition, "offset") DO UPDATE SET
    state = excluded.state, operation_id = excluded.operation_id

-- name: forget_copied
-- Forget the rows of letters whose copies are in the index.
DELETE FROM dead_letters
WHERE topic = $1 AND partition = $2 AND "offset" = ANY($3::bigint[]) AND state IN ('open', 'parked')
