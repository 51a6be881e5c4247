-- name: list_of_user
-- $6 events of a user, the newest first, from the one at $7 and $8 on; nulls begin or ask for
-- nothing.
SELECT event_id, type, clerk_user_id, received_at, applied_at, outcome, reason, topic, partition,
    "offset", occurred_at
FROM events
WHERE clerk_user_id = $1
    AND ($2::text IS NULL OR type = $2)
    AND ($3::text IS NULL OR outcome = $3)
    AND ($4::timestamptz IS NULL OR occurred_at >= $4)
    AND ($5::timestamptz IS NULL OR occurred_at < $5)
    AND ($7::timestamptz IS NULL OR (occurred_at, event_id) < ($7, $8::text))
ORDER BY occurred_at DESC, event_id DESC
LIMIT $6

-- name: find_known
-- What the ledger says of these events, by its primary key.
SELECT event_id, type, clerk_user_id, received_at, applied_at, outcome, reason
FROM events
WHERE event_id = ANY($1::text[])

-- name: find_told
-- What was told of a user's data from $2 to $3, and how far the relay has come.
SELECT outbox.position, outbox.topic, outbox.key, outbox.type, progress.position AS published
FROM outbox
LEFT JOIN relay_progress AS progress ON progress.name = 'outbox'
WHERE outbox.owner = $1 AND outbox.position >= $2 AND outbox.position < $3
ORDER BY outbox.position
LIMIT 10
