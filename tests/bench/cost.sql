-- name: count_unpublished
-- How many changes the relay has yet to publish.
SELECT count(*) FROM outbox
WHERE topic = 'user.changes'
    AND position > coalesce((SELECT position FROM relay_progress WHERE name = 'outbox'), 0)

-- name: find_last
-- The latest change there is.
SELECT coalesce(max(position), 0) FROM outbox

-- name: count_told
-- How many changes came after it.
SELECT count(*) FROM outbox WHERE position > $1

-- name: list_sizes
-- Tables with what belongs to them; the ledger's partitions as one.
SELECT
    CASE WHEN relname LIKE 'events%' THEN 'events' ELSE relname END AS name,
    sum(pg_total_relation_size(oid)) AS bytes
FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
GROUP BY 1
