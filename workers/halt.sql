-- name: read_stops
-- What is known of the stops of these partitions, standing or released.
SELECT topic, partition, released_at, allowance
FROM line_stops
JOIN unnest($1::text[], $2::integer[]) AS asked (topic, partition) USING (topic, partition)

-- name: write_stops
-- Note stops. One that stands stays as it is, and so does a release that who stops has not seen:
-- it came between their look and this.
WITH incoming AS (
    SELECT topic, partition, rejects, events, reason, seen_release
    FROM unnest(
        $1::text[], $2::integer[], $3::integer[], $4::integer[], $5::text[], $6::timestamptz[]
    ) AS stop (topic, partition, rejects, events, reason, seen_release)
),
stopped_again AS (
    UPDATE line_stops AS stored SET
        rejects = incoming.rejects,
        events = incoming.events,
        reason = incoming.reason,
        stopped_at = now(),
        released_at = NULL,
        allowance = 0
    FROM incoming
    WHERE (stored.topic, stored.partition) = (incoming.topic, incoming.partition)
        AND stored.released_at = incoming.seen_release
)
INSERT INTO line_stops (
    topic, partition, rejects, events, reason, stopped_at, released_at, allowance
)
SELECT topic, partition, rejects, events, reason, now(), NULL, 0
FROM incoming
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO NOTHING
