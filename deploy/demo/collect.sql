-- name: read_users
-- Every row, whole.
SELECT * FROM users

-- name: read_events
-- The ledger.
SELECT event_id, outcome FROM events
