-- name: find_outcome
-- What the ledger says became of an event, the latest where it was read twice.
SELECT outcome, reason, received_at, applied_at
FROM events
WHERE event_id = $1
ORDER BY applied_at DESC
LIMIT 1
