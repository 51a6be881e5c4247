-- name: list_applied
-- How far each partition is applied; there are as many rows as the topics have partitions.
SELECT topic, partition, next_offset FROM applied_offsets

-- name: list_indexed
-- How far each partition of the dead-letter topics is indexed; by the primary key.
SELECT topic, partition, max("offset") + 1 AS next_offset
FROM dead_letters
GROUP BY topic, partition

-- name: find_oldest_retry
-- Since when the oldest event that waits in a retry topic has waited. Reads the whole ledger.
SELECT min(applied_at) FROM events WHERE outcome = 'retrying'

-- name: read_head
-- The position of the newest change that this database knows of, or 0.
SELECT greatest(
    (SELECT max(position) FROM outbox),
    (SELECT position FROM relay_progress WHERE name = 'outbox'),
    0
)

-- name: count_lost_letters
-- Letters of the index that lie behind the ends of their partitions, by state; by the primary key.
SELECT state, count(*) AS letters
FROM unnest($1::text[], $2::integer[], $3::bigint[]) AS ends (topic, partition, next_offset)
JOIN dead_letters AS letter
    ON letter.topic = ends.topic
    AND letter.partition = ends.partition
    AND letter."offset" >= ends.next_offset
GROUP BY state
