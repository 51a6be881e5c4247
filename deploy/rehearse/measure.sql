-- name: list_tables
-- Every table, a partition under the name of its root.
SELECT
    pg_class.oid,
    (SELECT relname FROM pg_class AS root
        WHERE root.oid = coalesce(pg_partition_root(pg_class.oid), pg_class.oid)) AS name
FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p')
    AND relname <> 'alembic_version'

-- name: list_names
-- Every table that is no partition of another.
SELECT relname FROM pg_class
WHERE relnamespace = current_schema()::regnamespace
    AND relkind IN ('r', 'p')
    AND NOT relispartition
    AND relname <> 'alembic_version'
ORDER BY relname

-- name: list_locks
-- What this transaction keeps locked by now.
SELECT relation, mode FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
