-- name: fetch_changes
-- The next changes after $1, $2 at most, in their order.
SELECT position, topic, key, type, state, traceparent
FROM outbox
WHERE position > $1
ORDER BY position
LIMIT $2
