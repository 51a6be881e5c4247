-- name: read_awaited
-- How new some users are, by primary key, and whom some events are about, by the primary key of
-- each month; what is not there is left out. Of an event that is there twice, the newer row.
SELECT id, status, version, NULL AS event_id, NULL AS clerk_user_id
FROM users
WHERE id = ANY($1::uuid[])
UNION ALL
(
    SELECT DISTINCT ON (event_id) NULL, NULL, NULL, event_id, clerk_user_id
    FROM events
    WHERE event_id = ANY($2::text[])
    ORDER BY event_id, occurred_at DESC
);
