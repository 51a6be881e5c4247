-- name: read_applied
-- How far each partition of these topics is applied.
SELECT topic, partition, next_offset
FROM applied_offsets
WHERE topic = ANY($1::text[])
ORDER BY topic, partition

-- name: advance_applied
-- Note how far a partition is applied, unless it is further already.
INSERT INTO applied_offsets AS stored (topic, partition, next_offset, applied_at)
VALUES ($1, $2, $3, now())
ON CONFLICT (topic, partition) DO UPDATE SET
    next_offset = excluded.next_offset,
    applied_at = excluded.applied_at
WHERE stored.next_offset < excluded.next_offset

-- name: count_gone
-- What the ledger has of records before these offsets: how many events, how many users whom no
-- other event names, and how far back the ledger itself goes. The whole ledger is read, once, and
-- only where something is gone.
WITH kept AS (
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
        AS asked (topic, partition, begins)
),
placed AS MATERIALIZED (
    SELECT kept.topic, kept.partition, events.clerk_user_id, events.received_at
    FROM events
    LEFT JOIN kept
        ON kept.topic = events.topic
        AND kept.partition = events.partition
        AND events."offset" < kept.begins
),
only_there AS (
    SELECT clerk_user_id FROM placed
    WHERE clerk_user_id IS NOT NULL
    GROUP BY clerk_user_id
    HAVING bool_and(topic IS NOT NULL)
)
SELECT
    kept.topic,
    kept.partition,
    count(placed.topic) AS events,
    count(DISTINCT only_there.clerk_user_id) AS users,
    (SELECT min(received_at) FROM placed) AS oldest
FROM kept
LEFT JOIN placed USING (topic, partition)
LEFT JOIN only_there USING (clerk_user_id)
GROUP BY kept.topic, kept.partition
ORDER BY kept.topic, kept.partition

-- name: knows_any
-- Whether the ledger has one of these events at least; by its primary key.
SELECT EXISTS (SELECT FROM events WHERE event_id = ANY($1::text[]))

-- name: find_oldest
-- When the oldest event of the ledger that came over these topics was accepted. Reads all of it.
SELECT min(received_at) FROM events WHERE topic = ANY($1::text[])
