-- name: wait_for_other_migrations
-- Let one migration run at a time; the lock ends with the transaction. The number is ours alone.
SELECT pg_advisory_xact_lock(6241357)

-- name: limit_waits_for_locks
-- Give up on a lock after so many milliseconds, until the transaction ends; not before the other
-- migrations have been waited for.
SELECT set_config('lock_timeout', :limit, true)

-- name: oldest_transactions
-- Who has been in a transaction for long. The query stays unsaid: it may name people.
SELECT
    pid,
    coalesce(nullif(application_name, ''), usename, 'unnamed') AS name,
    extract(epoch FROM clock_timestamp() - xact_start)::integer AS seconds
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
ORDER BY xact_start
LIMIT 3

-- name: has_ledger
-- Whether there is a ledger to partition: not before the first revision.
SELECT to_regclass('events') IS NOT NULL
