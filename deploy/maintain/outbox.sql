-- name: forget_changes
-- Delete a batch of what is published and from before $1, the oldest first, and note how far: who
-- wants to go on from before that must begin anew.
WITH old AS (
    SELECT position FROM outbox
    WHERE position < $1
        AND position <= coalesce((SELECT position FROM relay_progress WHERE name = 'outbox'), 0)
    ORDER BY position
    LIMIT $2
    FOR UPDATE SKIP LOCKED -- an erasure that is deleting some of them waits for nobody
),
gone AS (
    DELETE FROM outbox USING old WHERE outbox.position = old.position
    RETURNING outbox.position
)
UPDATE relay_progress SET forgotten = greatest(forgotten, last.position)
FROM (SELECT max(position) AS position, count(*) AS number FROM gone) AS last
WHERE name = 'outbox' AND last.position IS NOT NULL
RETURNING last.number

-- name: count_changes
-- How many there are to forget, how many are to be kept, and how many of these wait for the relay.
SELECT
    count(*) FILTER (WHERE position < $1 AND position <= published) AS old,
    count(*) FILTER (WHERE position >= $1 OR position > published) AS kept,
    count(*) FILTER (WHERE position > published) AS waiting
FROM outbox, (
    SELECT coalesce(max(position), 0) AS published FROM relay_progress WHERE name = 'outbox'
) AS progress
