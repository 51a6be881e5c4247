-- name: naive_table
CREATE TABLE naive (
    id text PRIMARY KEY, email text, first_name text, last_name text, metadata jsonb,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- name: upsert
-- One event; what comes late overwrites what is newer.
INSERT INTO naive (id, email, first_name, last_name, metadata) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (id) DO UPDATE SET
    email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
    metadata = excluded.metadata, updated_at = now();
