-- name: forget_applied
-- Forget how far these partitions were applied: they are others now.
DELETE FROM applied_offsets
USING unnest($1::text[], $2::integer[]) AS renewed (topic, partition)
WHERE applied_offsets.topic = renewed.topic AND applied_offsets.partition = renewed.partition

-- name: forget_letters
-- Forget the letters that lie behind the ends of their partitions: others will get their places.
DELETE FROM dead_letters AS letter
USING unnest($1::text[], $2::integer[], $3::bigint[]) AS ends (topic, partition, next_offset)
WHERE letter.topic = ends.topic
    AND letter.partition = ends.partition
    AND letter."offset" >= ends.next_offset

-- name: begin_anew
-- Give changes positions above $1, the greatest on the topics, and have who goes on from before now
-- begin anew. $2 is the greatest that this database knows: what lies between $1 and it is not
-- published yet, and must be.
WITH mark AS (
    SELECT greatest(
        $1::bigint, $2::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
    ) AS position
)
INSERT INTO relay_progress AS noted (name, position, published_at, forgotten)
SELECT
    'outbox',
    CASE WHEN $1 >= $2 THEN mark.position ELSE $1 END,
    clock_timestamp(),
    mark.position
FROM mark
ON CONFLICT (name) DO UPDATE SET
    position = greatest(noted.position, excluded.position),
    published_at = excluded.published_at,
    forgotten = greatest(noted.forgotten, excluded.forgotten)
