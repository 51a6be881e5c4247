-- name: read_progress
-- Where the outbox was published up to when that was noted; no row before the first time.
SELECT position FROM relay_progress WHERE name = 'outbox'

-- name: note_progress
-- Note that all up to $1 is on the topics; never less than was noted before.
INSERT INTO relay_progress AS noted (name, position, published_at)
VALUES ('outbox', $1, clock_timestamp())
ON CONFLICT (name) DO UPDATE
SET position = excluded.position, published_at = excluded.published_at
WHERE noted.position < excluded.position
