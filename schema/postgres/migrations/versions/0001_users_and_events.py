"""Users and the ledger of events."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE users (
            id uuid CONSTRAINT users_pkey PRIMARY KEY,
            clerk_id text NOT NULL CONSTRAINT users_clerk_id_key UNIQUE,
            email text,
            email_verified boolean NOT NULL DEFAULT false,
            first_name text,
            last_name text,
            username text,
            image_url text,
            external_id text,
            role text NOT NULL DEFAULT 'user'
                CONSTRAINT users_role_check CHECK (role IN ('user', 'admin')),
            status text NOT NULL DEFAULT 'pending'
                CONSTRAINT users_status_check CHECK (status IN
                    ('pending', 'active', 'banned', 'locked', 'deprovisioned', 'deleted')),
            public_metadata jsonb NOT NULL DEFAULT '{}',
            last_sign_in_at timestamptz,
            last_active_at timestamptz,
            created_at timestamptz,
            updated_at timestamptz,
            deleted_at timestamptz,
            version bigint NOT NULL DEFAULT 0,
            version_timestamp bigint NOT NULL DEFAULT 0,
            version_event_id text NOT NULL DEFAULT ''
        )
    """)
    op.execute("CREATE INDEX users_email_idx ON users (email)")
    op.execute("""
        CREATE INDEX users_created_at_id_idx ON users (created_at DESC, id DESC)
        WHERE status NOT IN ('pending', 'deleted')
    """)
    op.execute("""
        CREATE TABLE events (
            event_id text NOT NULL,
            occurred_at timestamptz NOT NULL,
            type text NOT NULL,
            clerk_user_id text,
            received_at timestamptz NOT NULL,
            applied_at timestamptz NOT NULL,
            outcome text NOT NULL
                CONSTRAINT events_outcome_check CHECK (outcome IN
                    ('applied', 'stale', 'ignored', 'dead')),
            reason text,
            topic text NOT NULL,
            partition integer NOT NULL,
            "offset" bigint NOT NULL,
            CONSTRAINT events_pkey PRIMARY KEY (event_id, occurred_at)
        ) PARTITION BY RANGE (occurred_at)
    """)
    op.execute("CREATE TABLE events_default PARTITION OF events DEFAULT")
    op.execute("""
        CREATE INDEX events_clerk_user_id_occurred_at_idx ON events
        (clerk_user_id, occurred_at DESC) WHERE clerk_user_id IS NOT NULL
    """)
    comment_all()


def comment_all() -> None:
    """Put the comments of this revision's tables into the database."""
    for table, column, comment in COMMENTS:
        target = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        op.execute(f"COMMENT ON {target} IS $clerkwork${comment}$clerkwork$")


def downgrade() -> None:
    op.execute("DROP TABLE events")
    op.execute("DROP TABLE users")


COMMENTS = [
    ("events", None, "The ledger: one row for each event that a worker has dealt with."),
    ("events", "event_id", "svix-id, else topic-partition-offset"),
    (
        "events",
        "occurred_at",
        "the event's own time, 1970 where it names none; the table is partitioned by it",
    ),
    ("events", "type", "Clerk's event type"),
    ("events", "clerk_user_id", "whom the event is about, where it is a user"),
    ("events", "received_at", "when ingest accepted it"),
    ("events", "applied_at", "when a worker first recorded it"),
    (
        "events",
        "outcome",
        "applied | stale (something newer was there) | ignored (a type that changes nothing here) | dead (set aside in the dead-letter topic)",
    ),
    ("events", "reason", "why it is dead: field and reason, no payload"),
    ("events", "topic", "where Kafka keeps it"),
    ("events", "partition", "where Kafka keeps it"),
    ("events", '"offset"', "where Kafka keeps it"),
    ("users", None, "One row for each Clerk user, living or deleted."),
    ("users", "id", "UUIDv5 of clerk_id"),
    ("users", "clerk_id", "Clerk's user id"),
    ("users", "email", "primary address; not unique, Clerk reuses addresses"),
    ("users", "email_verified", "whether the primary address was proven to be the user's"),
    ("users", "first_name", "given name"),
    ("users", "last_name", "family name"),
    ("users", "username", "user name, where the instance uses them"),
    ("users", "image_url", "avatar"),
    ("users", "external_id", "the application's own id, set through Clerk"),
    ("users", "role", "user | admin, from public_metadata.role"),
    (
        "users",
        "status",
        "pending (referenced, not yet seen) | active | banned | locked | deprovisioned | deleted (a tombstone: nothing brings it back)",
    ),
    ("users", "public_metadata", "public_metadata as Clerk has it"),
    ("users", "last_sign_in_at", "the latest sign-in seen, whatever order it came in"),
    ("users", "last_active_at", "the latest activity seen, whatever order it came in"),
    ("users", "created_at", "when Clerk created the user; null on tombstones"),
    ("users", "updated_at", "data.updated_at of the applied snapshot; null on tombstones"),
    ("users", "deleted_at", "when Clerk deleted the user"),
    (
        "users",
        "version",
        "data.updated_at in ms (a tombstone: the deletion's time); the newest wins",
    ),
    ("users", "version_timestamp", "the event's own time in ms; decides between equal versions"),
    ("users", "version_event_id", "the svix-id; decides between equal versions and times"),
]
