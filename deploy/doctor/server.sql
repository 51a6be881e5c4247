-- name: find_settings
-- What a session has that asks for nothing, of the settings named in $1; and whether it can write.
SELECT name, reset_val FROM pg_settings WHERE name = ANY($1::text[])
UNION ALL
SELECT 'standby', pg_is_in_recovery()::text

-- name: count_connections
-- How many there are, of anybody's, and how many there may be of whoever has no privilege.
SELECT
    count(*) FILTER (WHERE usesysid IS NOT NULL) AS used,
    current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer
    - current_setting('reserved_connections')::integer AS most
FROM pg_stat_activity

-- name: find_age
-- How many transactions ago the oldest row was written that nobody has frozen.
SELECT age(datfrozenxid)::bigint AS age, current_setting('autovacuum_freeze_max_age')::bigint AS due
FROM pg_database
WHERE datname = current_database()

-- name: find_stale
-- Tables of which the planner knows too little: most rows were written since it has looked.
SELECT relname::text AS name
FROM pg_stat_user_tables
WHERE n_mod_since_analyze > 20000 + n_live_tup / 2
ORDER BY n_mod_since_analyze DESC
LIMIT 20

-- name: find_slots
-- Replication slots, and how many bytes of the log each holds back.
SELECT
    slot_name::text AS name,
    active,
    wal_status,
    pg_wal_lsn_diff(
        CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END,
        restart_lsn
    )::bigint AS held
FROM pg_replication_slots
ORDER BY held DESC NULLS LAST
LIMIT 20

-- name: find_size
-- How large the database is; where its files are, for whoever may know, and whether that is here.
SELECT
    pg_database_size(current_database()) AS bytes,
    (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS directory,
    coalesce(inet_server_addr() = inet_client_addr(), true) AS here
