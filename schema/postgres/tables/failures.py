"""What failed: dead letters and what was done with them, and partitions where the line stopped."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from schema.postgres.tables.columns import METADATA, one_of, time

LETTER_STATES: Final = ("open", "replaying", "replayed", "parked", "purged")
ACTIONS: Final = ("replay", "edit", "purge", "release")

DEAD_LETTERS: Final = sa.Table(
    "dead_letters",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True, comment="the dead-letter topic"),
    sa.Column("partition", sa.Integer, primary_key=True, comment="where Kafka keeps the letter"),
    sa.Column("offset", sa.BigInteger, primary_key=True, comment="where Kafka keeps the letter"),
    time("dead_at", "when the letter was written", nullable=False),
    sa.Column("source_topic", sa.Text, comment="where the record was first read"),
    sa.Column("source_partition", sa.Integer, comment="where the record was first read"),
    sa.Column("source_offset", sa.BigInteger, comment="where the record was first read"),
    sa.Column("event_id", sa.Text, comment="svix-id"),
    sa.Column("type", sa.Text, comment="Clerk's event type"),
    sa.Column("clerk_user_id", sa.Text, comment="whom it is about; null once they are erased"),
    sa.Column(
        "error_class", sa.Text, nullable=False, comment="such as poison.decode, poison.data, bug"
    ),
    sa.Column("error_code", sa.Text, comment="what exactly, in a word"),
    sa.Column("reason", sa.Text, comment="field and reason, no payload"),
    sa.Column("attempts", sa.Integer, nullable=False, comment="how often it was tried"),
    time("first_failed_at", "when it failed for the first time"),
    sa.Column(
        "replays",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="how often it had been replayed before it died again",
    ),
    sa.Column(
        "edited",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether an operator had changed the payload",
    ),
    sa.Column(
        "state",
        sa.Text,
        nullable=False,
        server_default="open",
        comment="open | replaying (an operation has taken it) | replayed | parked (replayed too"
        " often: only by name) | purged (given up)",
    ),
    sa.Column("operation_id", UUID, comment="the operation that has taken it last"),
    one_of("state", LETTER_STATES),
    comment="The index of the dead-letter topics, kept by workers from headers alone.",
)
sa.Index(
    "dead_letters_state_dead_at_idx",
    DEAD_LETTERS.c.state,
    DEAD_LETTERS.c.dead_at.desc(),
)
sa.Index("dead_letters_event_id_idx", DEAD_LETTERS.c.event_id)
sa.Index("dead_letters_clerk_user_id_idx", DEAD_LETTERS.c.clerk_user_id)
sa.Index("dead_letters_operation_id_state_idx", DEAD_LETTERS.c.operation_id, DEAD_LETTERS.c.state)

OPERATIONS: Final = sa.Table(
    "operations",
    METADATA,
    sa.Column("id", UUID, primary_key=True, comment="chosen by the console"),
    sa.Column("action", sa.Text, nullable=False, comment="replay | edit | purge | release"),
    sa.Column("operator", sa.Text, nullable=False, comment="who: user and host"),
    sa.Column("selection", JSONB, nullable=False, comment="what was asked for"),
    sa.Column("planned", sa.Integer, nullable=False, comment="how many letters were selected"),
    sa.Column("done", sa.Integer, nullable=False, server_default="0", comment="and dealt with"),
    time("started_at", "when it began", nullable=False),
    time("finished_at", "when it was done; null while it runs or after a crash"),
    one_of("action", ACTIONS),
    comment="The audit: every action of an operator on dead letters and stopped partitions.",
)
sa.Index("operations_started_at_idx", OPERATIONS.c.started_at.desc())

APPLIED_OFFSETS: Final = sa.Table(
    "applied_offsets",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True, comment="the topic"),
    sa.Column("partition", sa.Integer, primary_key=True, comment="its partition"),
    sa.Column(
        "next_offset", sa.BigInteger, nullable=False, comment="what comes after what is applied"
    ),
    time("applied_at", "when that was applied", nullable=False),
    comment="How far each partition is applied, written with the rows: a batch that begins beyond"
    " it has skipped something.",
)

LINE_STOPS: Final = sa.Table(
    "line_stops",
    METADATA,
    sa.Column("topic", sa.Text, primary_key=True, comment="the topic"),
    sa.Column("partition", sa.Integer, primary_key=True, comment="its partition"),
    sa.Column("rejects", sa.Integer, nullable=False, comment="rejects in the window"),
    sa.Column("events", sa.Integer, nullable=False, comment="events in the window"),
    sa.Column("reason", sa.Text, nullable=False, comment="why the last of them was rejected"),
    time("stopped_at", "when the line stopped", nullable=False),
    time("released_at", "when an operator let it go on; null while it stands"),
    sa.Column(
        "allowance",
        sa.Integer,
        nullable=False,
        server_default="0",
        comment="how many more rejects the operator accepts",
    ),
    comment="Partitions that too many rejects have stopped, instead of filling the dead-letter"
    " topic.",
)
