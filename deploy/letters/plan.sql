-- name: count_by_partition
-- How many letters of each partition a replay would take, and the last of them: the oldest $12 that
-- come from one of the topics $11.
SELECT topic, partition, count(*) AS letters, max("offset") AS last
FROM (
    SELECT * FROM (:matching) AS letter
    WHERE source_topic = ANY($11::text[])
    ORDER BY dead_at, topic, partition, "offset"
    LIMIT $12::bigint
) AS chosen
GROUP BY topic, partition

-- name: count_gone
-- How many of those Kafka does not have any more: partitions $13 and $14 begin at $15.
SELECT count(*)
FROM (
    SELECT * FROM (:matching) AS letter
    WHERE source_topic = ANY($11::text[])
    ORDER BY dead_at, topic, partition, "offset"
    LIMIT $12::bigint
) AS chosen
JOIN unnest($13::text[], $14::integer[], $15::bigint[]) AS held (topic, partition, first)
    USING (topic, partition)
WHERE chosen."offset" < held.first

-- name: count_astray
-- How many letters cannot be replayed, because they come from none of the topics $11.
SELECT count(*) FROM (:matching) AS letter
WHERE source_topic IS NULL OR source_topic <> ALL($11::text[])

-- name: take_letters
-- Take the oldest $12 letters that come from one of the topics $11 for the operation $13 of $14,
-- who asked for $15; return how many. Whatever others take meanwhile is theirs.
WITH taken AS (
    UPDATE dead_letters AS letter SET state = 'replaying', operation_id = $13
    FROM (
        SELECT * FROM (:matching) AS letter
        WHERE source_topic = ANY($11::text[])
        ORDER BY dead_at, topic, partition, "offset"
        LIMIT $12::bigint
    ) AS chosen
    WHERE letter.topic = chosen.topic
        AND letter.partition = chosen.partition
        AND letter."offset" = chosen."offset"
        AND letter.state = chosen.state
    RETURNING 1
)
INSERT INTO operations (id, action, operator, selection, planned, started_at)
SELECT $13, 'replay', $14, $15::jsonb, count(*), now() FROM taken
RETURNING planned
