-- name: measure_sizes
-- Bytes of a user with all that belongs to one, of an event in the ledger and of a change in the
-- outbox: tables and their indexes, what is dead and not yet vacuumed counts.
WITH relations AS (
    SELECT
        CASE
            WHEN relname LIKE 'events%' THEN 'event' WHEN relname = 'outbox' THEN 'change' ELSE 'user'
        END AS kind,
        pg_total_relation_size(oid) AS bytes,
        pg_indexes_size(oid) AS indexes
    FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND (
            relname IN ('users', 'user_data', 'user_names', 'sessions', 'outbox')
            OR relname LIKE 'events%'
        )
),
counted AS (
    SELECT 'user' AS kind, count(*) AS number FROM users
    UNION ALL SELECT 'event', count(*) FROM events
    UNION ALL SELECT 'change', count(*) FROM outbox
)
SELECT
    kind, (sum(bytes) / greatest(1, number))::float8 AS bytes,
    (sum(indexes) / greatest(1, number))::float8 AS indexes
FROM relations JOIN counted USING (kind)
GROUP BY kind, number

-- name: lock_users
SELECT FROM users WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE
