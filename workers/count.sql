-- name: count_sessions
-- How many sessions there are of each status that occurs; from the index on status alone.
SELECT status, count(*) AS sessions FROM sessions GROUP BY status ORDER BY status

-- name: count_held_back
-- How many deleted users can still be restored; from the index of those.
SELECT count(*) FROM users WHERE erase_at IS NOT NULL

-- name: count_letters
-- How many dead letters there are of each state that occurs, and how long ago the oldest died;
-- from the index on state and time alone.
SELECT
    state,
    count(*) AS letters,
    greatest(extract(epoch FROM now() - min(dead_at)), 0)::float8 AS oldest_s
FROM dead_letters
GROUP BY state
ORDER BY state

-- name: count_stops
-- How many partitions are stopped. The table has a row for each partition that ever was, at most.
SELECT count(*) FROM line_stops WHERE released_at IS NULL

-- name: count_months_ahead
-- How many months after this one the ledger has partitions for, up to the first that is missing and
-- to 120; from the catalogue.
WITH covered AS (
    SELECT
        substring(bounds FROM $$FROM \('([^']+)'\)$$)::timestamptz AS begins,
        substring(bounds FROM $$TO \('([^']+)'\)$$)::timestamptz AS ends
    FROM pg_inherits
    JOIN pg_class AS relation ON relation.oid = inhrelid
    CROSS JOIN LATERAL pg_get_expr(relation.relpartbound, relation.oid) AS bounds
    WHERE inhparent = 'events'::regclass AND bounds <> 'DEFAULT'
),
months AS (
    SELECT
        number,
        (this + make_interval(months => number)) AT TIME ZONE 'UTC' AS begins,
        (this + make_interval(months => number + 1)) AT TIME ZONE 'UTC' AS ends
    FROM generate_series(1, 121) AS number
    CROSS JOIN date_trunc('month', now() AT TIME ZONE 'UTC') AS this
)
SELECT min(number) - 1
FROM months
WHERE number = 121 OR NOT EXISTS (
    SELECT FROM covered
    WHERE coalesce(covered.begins <= months.begins, true)
        AND coalesce(covered.ends >= months.ends, true)
)
