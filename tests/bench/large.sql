-- name: find_settings
-- What deploy/docs/scale.md recommends for a large database.
SELECT format('ALTER SYSTEM SET %s = %L', name, value) AS statement
FROM unnest(
    '{shared_buffers, min_wal_size, max_wal_size, checkpoint_timeout}'::text[],
    '{4GB, 4GB, 32GB, 30min}'::text[]
) AS setting (name, value)
