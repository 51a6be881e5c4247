-- name: list_events_of
-- A user, by primary key, and a page of what the ledger has of them, newest first, by
-- events_clerk_user_id_occurred_at_idx. No row where there is no user, one at least where there
-- is. Of who is deleted only the deletion shows, whether their data is held back or erased.
SELECT
    users.status AS user_status,
    page.*
FROM users
LEFT JOIN LATERAL (
    SELECT event_id, type, occurred_at, outcome
    FROM events
    WHERE clerk_user_id = users.clerk_id
        AND (users.status <> 'deleted' OR type IN ('user.deleted', 'clerkwork.absence.user'))
        AND (occurred_at, event_id) < (COALESCE($2::timestamptz, 'infinity'), COALESCE($3, ''))
    ORDER BY occurred_at DESC, event_id DESC
    LIMIT $4
) AS page ON true
WHERE users.id = $1
ORDER BY page.occurred_at DESC, page.event_id DESC;

-- name: read_event
-- What the ledger has of an event, by the primary key of each month. Where it has it twice, one row
-- is of when the event could not be read and had no time of its own: it is the older one.
SELECT
    event_id,
    type,
    clerk_user_id,
    outcome,
    reason,
    occurred_at,
    received_at,
    applied_at
FROM events
WHERE event_id = $1
ORDER BY occurred_at DESC
LIMIT 1;
