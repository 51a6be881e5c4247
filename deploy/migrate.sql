-- name: wait_for_other_migrations
-- Let one migration run at a time; the lock ends with the transaction. The number is ours alone.
SELECT pg_advisory_xact_lock(6241357)

-- name: current_revision
-- Which revision the database is at.
SELECT version_num FROM alembic_version
