-- name: count
-- How far PostgreSQL is.
SELECT
    (SELECT count(*) FROM users) AS users,
    (SELECT count(*) FROM users WHERE status = 'deleted') AS deleted,
    (SELECT count(*) FROM events) AS events,
    (
        SELECT count(*) FROM outbox
        WHERE position > coalesce(
            (SELECT position FROM relay_progress WHERE name = 'outbox'), 0
        )
    ) AS untold
