-- name: wait_for_other_migrations
-- Let one migration run at a time; the lock ends with the transaction. The number is ours alone.
SELECT pg_advisory_xact_lock(6241357)

-- name: create_partitions
-- Give the ledger a partition for last month, this one and the three to come. A month whose
-- events already lie in the default partition is left there: they would have to move first.
DO $$
DECLARE
    month timestamptz;
BEGIN
    FOR month IN
        SELECT generate_series(
            date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' - interval '1 month',
            date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '3 months',
            interval '1 month', 'UTC'
        )
    LOOP
        CONTINUE WHEN to_regclass(to_char(month AT TIME ZONE 'UTC', '"events_"YYYY"_"MM')) IS NOT NULL
            OR EXISTS (
                SELECT FROM events_default
                WHERE occurred_at >= month AND occurred_at < month + interval '1 month'
            );
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)',
            to_char(month AT TIME ZONE 'UTC', '"events_"YYYY"_"MM'),
            month, date_add(month, interval '1 month', 'UTC')
        );
    END LOOP;
END
$$

-- name: current_revision
-- Which revision the database is at.
SELECT version_num FROM alembic_version
