-- name: read_stops
-- What is known of the stops of these partitions, standing or released.
SELECT topic, partition, released_at, allowance
FROM line_stops
JOIN unnest($1::text[], $2::integer[]) AS asked (topic, partition) USING (topic, partition)

-- name: write_stops
-- Note stops; one that stands stays as it is.
INSERT INTO line_stops AS stored (
    topic, partition, rejects, events, reason, stopped_at, released_at, allowance
)
SELECT topic, partition, rejects, events, reason, now(), NULL, 0
FROM unnest($1::text[], $2::integer[], $3::integer[], $4::integer[], $5::text[])
    AS incoming (topic, partition, rejects, events, reason)
ORDER BY topic, partition
ON CONFLICT (topic, partition) DO UPDATE SET
    rejects = excluded.rejects,
    events = excluded.events,
    reason = excluded.reason,
    stopped_at = excluded.stopped_at,
    released_at = NULL,
    allowance = 0
WHERE stored.released_at IS NOT NULL
