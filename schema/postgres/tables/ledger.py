"""The ledger of events."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from schema.postgres.tables.columns import METADATA, one_of, time

OUTCOMES: Final = ("applied", "stale", "ignored", "retrying", "dead", "refused")

EVENTS: Final = sa.Table(
    "events",
    METADATA,
    sa.Column(
        "event_id",
        sa.Text,
        primary_key=True,
        comment="svix-id or a command's id, else topic-partition-offset",
    ),
    sa.Column(
        "occurred_at",
        sa.TIMESTAMP(timezone=True),
        primary_key=True,
        comment="the event's own time, 1970 where it names none; the table is partitioned by it",
    ),
    sa.Column("type", sa.Text, nullable=False, comment="Clerk's event type, or a command's"),
    sa.Column(
        "clerk_user_id",
        sa.Text,
        comment="whom the event is about, where it is a user; once they are erased, only their"
        " deletion says",
    ),
    time("received_at", "when ingest accepted it", nullable=False),
    time("applied_at", "when a worker first recorded it", nullable=False),
    sa.Column(
        "outcome",
        sa.Text,
        nullable=False,
        comment="applied | stale (something newer was there) | ignored (a type that changes"
        " nothing here) | retrying (waits in a retry topic) | dead (set aside in the dead-letter"
        " topic) | refused (a command that its user may not give)",
    ),
    sa.Column(
        "reason",
        sa.Text,
        comment="why it is retrying, dead or refused: field and reason, no payload",
    ),
    sa.Column("topic", sa.Text, nullable=False, comment="where Kafka keeps it"),
    sa.Column("partition", sa.Integer, nullable=False, comment="where Kafka keeps it"),
    sa.Column("offset", sa.BigInteger, nullable=False, comment="where Kafka keeps it"),
    one_of("outcome", OUTCOMES),
    comment="The ledger: one row for each event that a worker has dealt with.",
    postgresql_partition_by="RANGE (occurred_at)",
)
sa.Index(
    "events_clerk_user_id_occurred_at_idx",
    EVENTS.c.clerk_user_id,
    EVENTS.c.occurred_at.desc(),
    postgresql_where=EVENTS.c.clerk_user_id.is_not(None),
)
