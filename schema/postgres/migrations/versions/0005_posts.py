"""Posts, and what users say of themselves as registers."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE posts (
            id uuid NOT NULL,
            user_id uuid NOT NULL,
            title text NOT NULL DEFAULT '',
            body text NOT NULL DEFAULT '',
            status text NOT NULL DEFAULT 'draft',
            created_at timestamptz,
            updated_at timestamptz,
            deleted_at timestamptz,
            version bigint NOT NULL DEFAULT 0,
            title_version bigint NOT NULL DEFAULT 0,
            title_event_id text NOT NULL DEFAULT '',
            body_version bigint NOT NULL DEFAULT 0,
            body_event_id text NOT NULL DEFAULT '',
            status_version bigint NOT NULL DEFAULT 0,
            status_event_id text NOT NULL DEFAULT '',
            CONSTRAINT posts_pkey PRIMARY KEY (id),
            CONSTRAINT posts_user_id_fkey FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE,
            CONSTRAINT posts_status_check CHECK (status IN ('draft', 'published'))
        )
    """)
    op.execute("""
        CREATE INDEX posts_created_at_id_idx ON posts (created_at DESC, id DESC)
            WHERE deleted_at IS NULL AND created_at IS NOT NULL
    """)
    op.execute("""
        CREATE INDEX posts_published_created_at_id_idx ON posts (created_at DESC, id DESC)
            WHERE deleted_at IS NULL AND created_at IS NOT NULL AND status = 'published'
    """)
    op.execute("""
        CREATE INDEX posts_user_id_created_at_id_idx ON posts (user_id, created_at DESC, id DESC)
    """)
    op.execute("""
        CREATE INDEX posts_published_user_id_created_at_id_idx
            ON posts (user_id, created_at DESC, id DESC)
            WHERE deleted_at IS NULL AND created_at IS NOT NULL AND status = 'published'
    """)
    op.execute("""
        ALTER TABLE user_data
            ALTER COLUMN value DROP NOT NULL,
            ADD COLUMN version bigint NOT NULL DEFAULT 0,
            ADD COLUMN version_event_id text NOT NULL DEFAULT ''
    """)
    op.execute("""
        ALTER TABLE events
            DROP CONSTRAINT events_outcome_check,
            ADD CONSTRAINT events_outcome_check CHECK (outcome IN
                ('applied', 'stale', 'ignored', 'retrying', 'dead', 'refused'))
    """)
    _comment(COMMENTS)


def downgrade() -> None:
    op.execute("DELETE FROM events WHERE outcome = 'refused'")
    op.execute("""
        ALTER TABLE events
            DROP CONSTRAINT events_outcome_check,
            ADD CONSTRAINT events_outcome_check CHECK (outcome IN
                ('applied', 'stale', 'ignored', 'retrying', 'dead'))
    """)
    op.execute("DELETE FROM user_data WHERE value IS NULL")
    op.execute("""
        ALTER TABLE user_data
            ALTER COLUMN value SET NOT NULL,
            DROP COLUMN version,
            DROP COLUMN version_event_id
    """)
    op.execute("DROP TABLE posts")
    _comment(COMMENTS_BEFORE)


def _comment(comments: list[tuple[str, str | None, str]]) -> None:
    for table, column, comment in comments:
        place = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        quoted = comment.replace("'", "''")
        op.execute(f"COMMENT ON {place} IS '{quoted}'")


COMMENTS: list[tuple[str, str | None, str]] = [
    ("posts", None, "One row for each post of a user who is not erased, living or deleted."),
    (
        "posts",
        "id",
        "UUIDv8 of its author's clerk id and of the command that created it, so that it tells whose it is",
    ),
    ("posts", "user_id", "its author"),
    ("posts", "title", "empty on stubs and tombstones"),
    ("posts", "body", "empty on tombstones too"),
    ("posts", "status", "draft (its author's alone) | published"),
    (
        "posts",
        "created_at",
        "when it was written; null on stubs (changed, not yet seen) and tombstones",
    ),
    ("posts", "updated_at", "time of the latest command in it; null on stubs and tombstones"),
    (
        "posts",
        "deleted_at",
        "when its author deleted it first; nothing is written on it afterwards",
    ),
    ("posts", "version", "time in ms of the latest command in it"),
    (
        "posts",
        "title_version",
        "time in ms of the change that title is from; 0 where from the creation",
    ),
    ("posts", "title_event_id", "its command's id; decides between equal times"),
    (
        "posts",
        "body_version",
        "time in ms of the change that body is from; 0 where from the creation",
    ),
    ("posts", "body_event_id", "its command's id; decides between equal times"),
    (
        "posts",
        "status_version",
        "time in ms of the change that status is from; 0 where from the creation",
    ),
    ("posts", "status_event_id", "its command's id; decides between equal times"),
    (
        "user_data",
        "value",
        "its shape is in schema/postgres/user_data.py; null where a command deleted it",
    ),
    ("user_data", "version", "time in ms of the command that it is from; 0 where it is derived"),
    ("user_data", "version_event_id", "its command's id; decides between equal times"),
    ("events", "event_id", "svix-id or a command's id, else topic-partition-offset"),
    ("events", "type", "Clerk's event type, or a command's"),
    (
        "events",
        "outcome",
        "applied | stale (something newer was there) | ignored (a type that changes nothing here) | retrying (waits in a retry topic) | dead (set aside in the dead-letter topic) | refused (a command that its user may not give)",
    ),
    ("events", "reason", "why it is retrying, dead or refused: field and reason, no payload"),
]
COMMENTS_BEFORE: list[tuple[str, str | None, str]] = [
    ("user_data", "value", "its shape is in schema/postgres/user_data.py"),
    ("events", "event_id", "svix-id, else topic-partition-offset"),
    ("events", "type", "Clerk's event type"),
    (
        "events",
        "outcome",
        "applied | stale (something newer was there) | ignored (a type that changes nothing here) | retrying (waits in a retry topic) | dead (set aside in the dead-letter topic)",
    ),
    ("events", "reason", "why it is retrying or dead: field and reason, no payload"),
]
