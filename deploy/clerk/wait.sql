-- name: read_applied
-- How far workers have applied each partition of some topics.
SELECT topic, partition, next_offset
FROM applied_offsets
WHERE topic = ANY($1::text[])
