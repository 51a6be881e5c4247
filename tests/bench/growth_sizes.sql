-- name: list_relations
-- Tables and indexes of the rows that users and events have; the ledger's partitions as one.
SELECT
    CASE WHEN tables.relname LIKE 'events%' THEN 'events' ELSE tables.relname END AS table_name,
    regexp_replace(relations.relname, '^events_(\d{4}_\d{2}|default)', 'events') AS name,
    relations.relkind = 'i' AS is_index,
    sum(pg_table_size(relations.oid)) AS bytes
FROM pg_class AS tables
JOIN LATERAL (
    SELECT tables.oid
    UNION ALL
    SELECT indexrelid FROM pg_index WHERE indrelid = tables.oid
) AS parts ON true
JOIN pg_class AS relations ON relations.oid = parts.oid
WHERE tables.relkind = 'r' AND tables.relnamespace = 'public'::regnamespace
    AND (
        tables.relname IN ('users', 'user_data', 'user_names', 'sessions', 'outbox')
        OR tables.relname LIKE 'events%'
    )
GROUP BY 1, 2, 3
ORDER BY 1, 3, 2

-- name: count_rows
-- How many rows each table has.
SELECT 'users' AS table_name, count(*) AS number FROM users
UNION ALL SELECT 'user_data', count(*) FROM user_data
UNION ALL SELECT 'user_names', count(*) FROM user_names
UNION ALL SELECT 'sessions', count(*) FROM sessions
UNION ALL SELECT 'events', count(*) FROM events
UNION ALL SELECT 'outbox', count(*) FROM outbox

-- name: lock_users
SELECT FROM users WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
