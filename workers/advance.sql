-- name: advance_offsets
-- Note how far each partition is applied, and tell where the batch begins beyond that.
WITH incoming AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[])
        AS batch (topic, partition, first_offset, next_offset)
),
known AS MATERIALIZED (
    SELECT topic, partition, stored.next_offset
    FROM applied_offsets AS stored
    JOIN incoming USING (topic, partition)
),
written AS (
    INSERT INTO applied_offsets AS stored (topic, partition, next_offset, applied_at)
    SELECT topic, partition, next_offset, now() FROM incoming ORDER BY topic, partition
    ON CONFLICT (topic, partition) DO UPDATE SET
        next_offset = greatest(stored.next_offset, excluded.next_offset),
        applied_at = excluded.applied_at
)
SELECT topic, partition, first_offset - known.next_offset AS skipped
FROM incoming
JOIN known USING (topic, partition)
WHERE first_offset > known.next_offset
