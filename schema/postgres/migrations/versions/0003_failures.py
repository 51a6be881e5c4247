"""The index of dead letters, the audit of operators, and how far each partition is applied."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE events
            DROP CONSTRAINT events_outcome_check,
            ADD CONSTRAINT events_outcome_check CHECK (outcome IN
                ('applied', 'stale', 'ignored', 'retrying', 'dead'))
    """)
    op.execute("""
        CREATE TABLE dead_letters (
            topic text NOT NULL,
            partition integer NOT NULL,
            "offset" bigint NOT NULL,
            dead_at timestamptz NOT NULL,
            source_topic text,
            source_partition integer,
            source_offset bigint,
            event_id text,
            type text,
            clerk_user_id text,
            error_class text NOT NULL,
            error_code text,
            reason text,
            attempts integer NOT NULL,
            first_failed_at timestamptz,
            replays integer NOT NULL DEFAULT 0,
            edited boolean NOT NULL DEFAULT false,
            state text NOT NULL DEFAULT 'open',
            operation_id uuid,
            CONSTRAINT dead_letters_pkey PRIMARY KEY (topic, partition, "offset"),
            CONSTRAINT dead_letters_state_check CHECK (state IN
                ('open', 'replaying', 'replayed', 'parked', 'purged'))
        )
    """)
    op.execute("CREATE INDEX dead_letters_clerk_user_id_idx ON dead_letters (clerk_user_id)")
    op.execute("CREATE INDEX dead_letters_event_id_idx ON dead_letters (event_id)")
    op.execute("""
        CREATE INDEX dead_letters_operation_id_state_idx
        ON dead_letters (operation_id, state)
    """)
    op.execute("CREATE INDEX dead_letters_state_dead_at_idx ON dead_letters (state, dead_at DESC)")
    op.execute("""
        CREATE TABLE operations (
            id uuid NOT NULL,
            action text NOT NULL,
            operator text NOT NULL,
            selection jsonb NOT NULL,
            planned integer NOT NULL,
            done integer NOT NULL DEFAULT 0,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            CONSTRAINT operations_pkey PRIMARY KEY (id),
            CONSTRAINT operations_action_check CHECK (action IN
                ('replay', 'edit', 'purge', 'release'))
        )
    """)
    op.execute("CREATE INDEX operations_started_at_idx ON operations (started_at DESC)")
    op.execute("""
        CREATE TABLE applied_offsets (
            topic text NOT NULL,
            partition integer NOT NULL,
            next_offset bigint NOT NULL,
            applied_at timestamptz NOT NULL,
            CONSTRAINT applied_offsets_pkey PRIMARY KEY (topic, partition)
        )
    """)
    op.execute("""
        CREATE TABLE line_stops (
            topic text NOT NULL,
            partition integer NOT NULL,
            rejects integer NOT NULL,
            events integer NOT NULL,
            reason text NOT NULL,
            stopped_at timestamptz NOT NULL,
            released_at timestamptz,
            allowance integer NOT NULL DEFAULT 0,
            CONSTRAINT line_stops_pkey PRIMARY KEY (topic, partition)
        )
    """)
    comment_all(COMMENTS)


def comment_all(comments: list[tuple[str, str | None, str]]) -> None:
    """Put comments into the database."""
    for table, column, comment in comments:
        target = f"COLUMN {table}.{column}" if column else f"TABLE {table}"
        op.execute(f"COMMENT ON {target} IS $clerkwork${comment}$clerkwork$")


def downgrade() -> None:
    comment_all(COMMENTS_BEFORE)
    op.execute("DROP TABLE line_stops")
    op.execute("DROP TABLE applied_offsets")
    op.execute("DROP TABLE operations")
    op.execute("DROP TABLE dead_letters")
    op.execute("UPDATE events SET outcome = 'dead' WHERE outcome = 'retrying'")
    op.execute("""
        ALTER TABLE events
            DROP CONSTRAINT events_outcome_check,
            ADD CONSTRAINT events_outcome_check CHECK (outcome IN
                ('applied', 'stale', 'ignored', 'dead'))
    """)


COMMENTS: list[tuple[str, str | None, str]] = [
    (
        "events",
        "outcome",
        "applied | stale (something newer was there) | ignored (a type that changes nothing here) | retrying (waits in a retry topic) | dead (set aside in the dead-letter topic)",
    ),
    ("events", "reason", "why it is retrying or dead: field and reason, no payload"),
    (
        "dead_letters",
        None,
        "The index of the dead-letter topics, kept by workers from headers alone.",
    ),
    ("dead_letters", "topic", "the dead-letter topic"),
    ("dead_letters", "partition", "where Kafka keeps the letter"),
    ("dead_letters", '"offset"', "where Kafka keeps the letter"),
    ("dead_letters", "dead_at", "when the letter was written"),
    ("dead_letters", "source_topic", "where the record was first read"),
    ("dead_letters", "source_partition", "where the record was first read"),
    ("dead_letters", "source_offset", "where the record was first read"),
    ("dead_letters", "event_id", "svix-id"),
    ("dead_letters", "type", "Clerk's event type"),
    ("dead_letters", "clerk_user_id", "whom it is about; null once they are erased"),
    ("dead_letters", "error_class", "such as poison.decode, poison.data, bug"),
    ("dead_letters", "error_code", "what exactly, in a word"),
    ("dead_letters", "reason", "field and reason, no payload"),
    ("dead_letters", "attempts", "how often it was tried"),
    ("dead_letters", "first_failed_at", "when it failed for the first time"),
    ("dead_letters", "replays", "how often it had been replayed before it died again"),
    ("dead_letters", "edited", "whether an operator had changed the payload"),
    (
        "dead_letters",
        "state",
        "open | replaying (an operation has taken it) | replayed | parked (replayed too often: only by name) | purged (given up)",
    ),
    ("dead_letters", "operation_id", "the operation that has taken it last"),
    (
        "operations",
        None,
        "The audit: every action of an operator on dead letters and stopped partitions.",
    ),
    ("operations", "id", "chosen by the console"),
    ("operations", "action", "replay | edit | purge | release"),
    ("operations", "operator", "who: user and host"),
    ("operations", "selection", "what was asked for"),
    ("operations", "planned", "how many letters were selected"),
    ("operations", "done", "and dealt with"),
    ("operations", "started_at", "when it began"),
    ("operations", "finished_at", "when it was done; null while it runs or after a crash"),
    (
        "applied_offsets",
        None,
        "How far each partition is applied, written with the rows: a batch that begins beyond it has skipped something.",
    ),
    ("applied_offsets", "topic", "the topic"),
    ("applied_offsets", "partition", "its partition"),
    ("applied_offsets", "next_offset", "what comes after what is applied"),
    ("applied_offsets", "applied_at", "when that was applied"),
    (
        "line_stops",
        None,
        "Partitions that too many rejects have stopped, instead of filling the dead-letter topic.",
    ),
    ("line_stops", "topic", "the topic"),
    ("line_stops", "partition", "its partition"),
    ("line_stops", "rejects", "rejects in the window"),
    ("line_stops", "events", "events in the window"),
    ("line_stops", "reason", "why the last of them was rejected"),
    ("line_stops", "stopped_at", "when the line stopped"),
    ("line_stops", "released_at", "when an operator let it go on; null while it stands"),
    ("line_stops", "allowance", "how many more rejects the operator accepts"),
]

COMMENTS_BEFORE: list[tuple[str, str | None, str]] = [
    (
        "events",
        "outcome",
        "applied | stale (something newer was there) | ignored (a type that changes nothing here) | dead (set aside in the dead-letter topic)",
    ),
    ("events", "reason", "why it is dead: field and reason, no payload"),
]
