-- name: read_place
-- Where the write-ahead log ends.
SELECT pg_current_wal_insert_lsn()::text

-- name: list_processes
-- The server's processes but the one that asks: clients by their name, others by what they are.
SELECT
    pid,
    CASE WHEN backend_type = 'client backend' THEN application_name ELSE backend_type END AS name
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
