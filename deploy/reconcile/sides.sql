-- name: keep_others_out
-- Let one reconcile run at a time; the lock ends with the session. False when another one runs.
SELECT pg_try_advisory_lock(hashtextextended('clerkwork reconcile', 0))

-- name: make_room
-- What Clerk has named of one resource; rows of ours that it has not named; and what seems to
-- differ. On the server, and not in memory, for there may be as many as there are users.
CREATE TEMPORARY TABLE named (id uuid NOT NULL);
CREATE TEMPORARY TABLE candidates (
    id uuid PRIMARY KEY,
    clerk_id text NOT NULL,
    version bigint NOT NULL,
    restored boolean NOT NULL,
    user_id text,
    organization_id text
);
CREATE TEMPORARY TABLE suspects (
    resource text NOT NULL,
    id uuid NOT NULL,
    clerk_id text NOT NULL,
    kind text NOT NULL,
    version bigint NOT NULL,
    mark text,
    user_id text,
    organization_id text,
    held boolean NOT NULL DEFAULT false,
    clock_ms bigint NOT NULL,
    differs boolean NOT NULL DEFAULT true,
    mended boolean NOT NULL DEFAULT false,
    PRIMARY KEY (resource, id)
)
