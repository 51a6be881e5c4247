-- name: list_page
-- $11 letters, the newest first, from the one at $12, $13, $14 and $15 on; nulls begin.
SELECT * FROM (:matching) AS letter
WHERE $12::timestamptz IS NULL
    OR (dead_at, topic, partition, "offset") < ($12, $13::text, $14::integer, $15::bigint)
ORDER BY dead_at DESC, topic DESC, partition DESC, "offset" DESC
LIMIT $11::bigint

-- name: count_states
-- How many letters are in each state that waits for somebody, $1 at most of each, and since when.
SELECT asked.state, counted.letters, counted.oldest
FROM (VALUES ('open'), ('replaying'), ('parked')) AS asked (state)
CROSS JOIN LATERAL (
    SELECT count(*) AS letters, min(dead_at) AS oldest
    FROM (
        SELECT dead_at FROM dead_letters WHERE state = asked.state ORDER BY dead_at LIMIT $1
    ) AS held
) AS counted
