-- name: measure_backlog
-- How many changes are not on their topics, counted up to $2, and how long the oldest one waits.
-- $1 is what the active relay knows better than the row that it writes now and then.
SELECT
    count(*) AS pending,
    coalesce(extract(epoch FROM clock_timestamp()) - min(position) / 1000000.0, 0)::float AS lag
FROM (
    SELECT position
    FROM outbox
    WHERE position > greatest(
        $1::bigint, (SELECT position FROM relay_progress WHERE name = 'outbox')
    )
    ORDER BY position
    LIMIT $2
) AS waiting
