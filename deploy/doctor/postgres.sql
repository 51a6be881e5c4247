-- name: describe_server
-- Its version, its time zone, and its clock.
SELECT
    current_setting('server_version_num')::integer AS version,
    current_setting('server_version') AS version_text,
    extract(epoch FROM clock_timestamp())::float AS seconds

-- name: count_checkpoints
-- How many were due by time, and how many were asked for: most of those because the log was full.
SELECT num_timed AS timed, num_requested AS requested, current_setting('max_wal_size') AS room
FROM pg_stat_checkpointer

-- name: find_time_zone
-- What a session has that asks for nothing.
SELECT reset_val FROM pg_settings WHERE name = 'TimeZone'

-- name: find_revision
-- The revision that the database is at.
SELECT version_num FROM alembic_version

-- name: count_relays
-- How many sessions hold the lock of the relay that publishes: one, or none. The number is that of
-- workers/relay/hold.sql.
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND classid = 0 AND objid = 6241359 AND objsubid = 1 AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())

-- name: count_stops
-- How many partitions too many rejects have stopped.
SELECT count(*) FROM line_stops WHERE released_at IS NULL

-- name: count_letters
-- How many dead letters wait for somebody, up to $1, and since when.
SELECT count(*) AS letters, min(dead_at) AS oldest, now() AS now
FROM (
    SELECT dead_at FROM dead_letters WHERE state = 'open' ORDER BY dead_at DESC LIMIT $1
) AS open

-- name: find_sweeps
-- The looks through all that Clerk has, the latest of each kind first.
SELECT
    kind,
    min(finished_at) FILTER (WHERE finished_at IS NOT NULL) AS finished_at,
    bool_or(finished_at IS NULL) AS unfinished,
    max(noted_at) AS noted_at,
    now() AS now
FROM sweeps
GROUP BY kind
