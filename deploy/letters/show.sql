-- name: find_by_place
-- The letter at a place.
SELECT * FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3

-- name: find_by_event
-- Of the letters about an event, the one that waits for an operator, and of those the newest.
SELECT * FROM dead_letters WHERE event_id = $1
ORDER BY state IN ('open', 'parked') DESC, dead_at DESC, topic, partition, "offset" DESC
LIMIT 1
