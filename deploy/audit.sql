-- name: find_missing
-- Which of these events the ledger does not have; by the ledger's primary key.
SELECT asked.event_id
FROM unnest($1::text[]) AS asked (event_id)
WHERE NOT EXISTS (SELECT FROM events WHERE events.event_id = asked.event_id)
