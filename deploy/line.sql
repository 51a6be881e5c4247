-- name: list_stops
-- Partitions that too many rejects have stopped, and those that were let go on lately.
SELECT topic, partition, rejects, events, reason, stopped_at, released_at, allowance
FROM line_stops
ORDER BY released_at IS NOT NULL, stopped_at DESC, topic, partition
LIMIT 100

-- name: release_stops
-- Let stopped partitions go on, all where none is named, and note who did it.
WITH released AS (
    UPDATE line_stops SET released_at = now(), allowance = $3
    WHERE released_at IS NULL
        AND ($1::text IS NULL OR topic = $1)
        AND ($2::integer IS NULL OR partition = $2)
    RETURNING topic, partition
),
noted AS (
    INSERT INTO operations (
        id, action, operator, selection, planned, done, started_at, finished_at
    )
    SELECT
        $4, 'release', $5,
        jsonb_build_object('topic', $1::text, 'partition', $2::integer, 'allowance', $3::integer),
        count(*), count(*), now(), now()
    FROM released
    HAVING count(*) > 0
)
SELECT topic, partition FROM released ORDER BY topic, partition
