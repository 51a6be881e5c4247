-- name: record_events
-- Write the ledger. An event that is there already keeps its row: a repetition is no news, unless
-- it had failed and now ends otherwise.
INSERT INTO events AS known (
    event_id, occurred_at, type, clerk_user_id, received_at, applied_at, outcome, reason,
    topic, partition, "offset"
)
SELECT
    event_id, occurred_at, type, clerk_user_id, received_at, now(), outcome, reason, topic,
    partition, "offset"
FROM unnest(
    $1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::timestamptz[], $6::text[],
    $7::text[], $8::text[], $9::integer[], $10::bigint[]
) AS incoming (
    event_id, occurred_at, type, clerk_user_id, received_at, outcome, reason,
    topic, partition, "offset"
)
ORDER BY event_id, occurred_at
ON CONFLICT (event_id, occurred_at) DO UPDATE SET
    outcome = excluded.outcome,
    reason = excluded.reason,
    applied_at = excluded.applied_at,
    topic = excluded.topic,
    partition = excluded.partition,
    "offset" = excluded."offset"
WHERE known.outcome IN ('dead', 'retrying') AND excluded.outcome <> known.outcome

-- name: forget_failures
-- Of events that were replayed and are applied now, forget the rows of when they could not be
-- read: those have no time of their own, and with an edited payload another.
DELETE FROM events AS known
USING unnest($1::text[], $2::timestamptz[]) AS mended (event_id, occurred_at)
WHERE known.event_id = mended.event_id
    AND known.occurred_at <> mended.occurred_at
    AND known.outcome IN ('dead', 'retrying')
