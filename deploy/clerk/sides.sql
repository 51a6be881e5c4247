-- name: keep_others_out
-- Held until the connection ends, however that comes about.
SELECT pg_try_advisory_lock($1::integer)

-- name: who_runs
-- Who holds that lock.
SELECT coalesce(application_name, 'somebody') AS name, backend_start AS since
FROM pg_locks
JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND classid = 0 AND objid = $1::integer::oid AND granted
    AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
