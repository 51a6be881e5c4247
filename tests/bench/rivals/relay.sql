-- name: naive_outbox
CREATE TABLE naive_outbox (
    id bigint PRIMARY KEY, key text NOT NULL, state text, published boolean NOT NULL DEFAULT false
);
CREATE INDEX ON naive_outbox (id) WHERE NOT published;

-- name: fill
INSERT INTO naive_outbox (id, key, state)
SELECT position, key, state::text FROM outbox ORDER BY position LIMIT $1;

-- name: read_one
SELECT id, key, state FROM naive_outbox WHERE NOT published ORDER BY id LIMIT 1;

-- name: mark_one
UPDATE naive_outbox SET published = true WHERE id = $1;

-- name: read_ready
-- What the relay would publish, read before the clock runs.
SELECT position, topic, key, type, state FROM outbox ORDER BY position LIMIT $1;
