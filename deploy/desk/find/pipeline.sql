-- name: list_applied
-- How far each partition is applied; a row for each, and there are as many as the topics have.
SELECT topic, partition, next_offset, applied_at FROM applied_offsets
LIMIT 1000

-- name: list_stops
-- Partitions that are stopped.
SELECT topic, partition, rejects, events, reason, stopped_at FROM line_stops
WHERE released_at IS NULL
ORDER BY stopped_at DESC, topic, partition
LIMIT 50
