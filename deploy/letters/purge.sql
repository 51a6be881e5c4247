-- name: count_purge
-- How many letters would be given up, $11 at most.
SELECT count(*)
FROM (SELECT FROM (:matching) AS letter LIMIT $11::bigint) AS chosen

-- name: purge_letters
-- Give up the oldest $11 letters, as the operation $12 of $13, who asked for $14; return how many.
WITH purged AS (
    UPDATE dead_letters AS letter SET state = 'purged', operation_id = $12
    FROM (
        SELECT * FROM (:matching) AS letter
        ORDER BY dead_at, topic, partition, "offset"
        LIMIT $11::bigint
    ) AS chosen
    WHERE letter.topic = chosen.topic
        AND letter.partition = chosen.partition
        AND letter."offset" = chosen."offset"
        AND letter.state = chosen.state
    RETURNING 1
)
INSERT INTO operations (id, action, operator, selection, planned, done, started_at, finished_at)
SELECT $12, 'purge', $13, $14::jsonb, count(*), count(*), now(), now() FROM purged
RETURNING planned
