"""The outbox of what others are told, and how far it is published."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE outbox (
            position bigint NOT NULL,
            topic text NOT NULL,
            key text NOT NULL,
            type text NOT NULL,
            owner text NOT NULL,
            public boolean NOT NULL DEFAULT false,
            state json,
            CONSTRAINT outbox_pkey PRIMARY KEY (position),
            CONSTRAINT outbox_topic_check CHECK (topic IN ('user.changes', 'post.changes'))
        )
    """)
    op.execute("CREATE INDEX outbox_owner_position_idx ON outbox (owner, position)")
    op.execute("CREATE INDEX outbox_public_position_idx ON outbox (position) WHERE public")
    op.execute("""
        CREATE TABLE relay_progress (
            name text NOT NULL,
            position bigint NOT NULL,
            published_at timestamptz NOT NULL,
            forgotten bigint NOT NULL DEFAULT 0,
            CONSTRAINT relay_progress_pkey PRIMARY KEY (name)
        )
    """)
    for table, column, comment in COMMENTS:
        place = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        op.execute(f"COMMENT ON {place} IS '{comment}'")


def downgrade() -> None:
    op.execute("DROP TABLE relay_progress")
    op.execute("DROP TABLE outbox")


COMMENTS: list[tuple[str, str | None, str]] = [
    (
        "outbox",
        None,
        "Every change that others are told, written with the rows; kept for a while, so that who was away can catch up.",
    ),
    (
        "outbox",
        "position",
        "microseconds since 1970 when it was told, or one more than the position before; given under a lock that lasts until the commit, so that positions become visible in their order",
    ),
    ("outbox", "topic", "user.changes | post.changes"),
    ("outbox", "key", "the record''s key: clerk user id, post id"),
    ("outbox", "type", "ce_type, such as clerkwork.user.updated"),
    ("outbox", "owner", "clerk user id of whose data it is"),
    (
        "outbox",
        "public",
        "whether everyone who is signed in may read it, not only the owner",
    ),
    ("outbox", "state", "the record''s value; null where nothing may be left"),
    (
        "relay_progress",
        None,
        "How far the outbox is published; noted now and then, the topics themselves know exactly.",
    ),
    ("relay_progress", "name", "outbox"),
    ("relay_progress", "position", "all up to here is on the topics"),
    ("relay_progress", "published_at", "when that was noted"),
    ("relay_progress", "forgotten", "all up to here is no longer in the outbox"),
]
