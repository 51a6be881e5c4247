-- name: count_pending
-- How many changes nobody knows to be on their topic.
SELECT count(*) FROM outbox
WHERE position > coalesce((SELECT position FROM relay_progress WHERE name = 'outbox'), 0)

-- name: count_changes
SELECT count(*) FROM outbox
