-- name: read_applied
-- How far workers have applied each partition of some topics.
SELECT topic, partition, next_offset
FROM applied_offsets
WHERE topic = ANY($1::text[])

-- name: count_outcomes
-- What became of the snapshots that one backfill has published. They share their time, so only one
-- month of the ledger is looked through, once.
SELECT outcome, count(*) AS events
FROM events
WHERE type = $1 AND occurred_at = $2
GROUP BY outcome

-- name: list_failures
-- Some of those that could not be applied.
SELECT event_id, clerk_user_id, outcome, reason
FROM events
WHERE type = $1 AND occurred_at = $2 AND outcome IN ('dead', 'retrying')
ORDER BY event_id
LIMIT $3
