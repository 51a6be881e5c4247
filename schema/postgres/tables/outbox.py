"""What others are told: the outbox, and how far the relay has brought it to Kafka."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSON

from schema.postgres.tables.columns import METADATA, one_of, time

CHANGE_TOPICS: Final = ("user.changes", "post.changes")

OUTBOX: Final = sa.Table(
    "outbox",
    METADATA,
    sa.Column(
        "position",
        sa.BigInteger,
        primary_key=True,
        autoincrement=False,
        comment="microseconds since 1970 when it was told, or one more than the position before;"
        " given under a lock that lasts until the commit, so that positions become visible in"
        " their order",
    ),
    sa.Column("topic", sa.Text, nullable=False, comment="user.changes | post.changes"),
    sa.Column("key", sa.Text, nullable=False, comment="the record's key: clerk user id, post id"),
    sa.Column("type", sa.Text, nullable=False, comment="ce_type, such as clerkwork.user.updated"),
    sa.Column("owner", sa.Text, nullable=False, comment="clerk user id of whose data it is"),
    sa.Column(
        "public",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether everyone who is signed in may read it, not only the owner",
    ),
    sa.Column("state", JSON, comment="the record's value; null where nothing may be left"),
    sa.Column(
        "traceparent",
        sa.Text,
        comment="W3C Trace Context of the event that caused it; null where nothing is traced",
    ),
    one_of("topic", CHANGE_TOPICS),
    comment="Every change that others are told, written with the rows; kept for a while, so that"
    " who was away can catch up.",
)
sa.Index("outbox_owner_position_idx", OUTBOX.c.owner, OUTBOX.c.position)
sa.Index("outbox_public_position_idx", OUTBOX.c.position, postgresql_where=OUTBOX.c.public)

RELAY_PROGRESS: Final = sa.Table(
    "relay_progress",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True, comment="outbox"),
    sa.Column("position", sa.BigInteger, nullable=False, comment="all up to here is on the topics"),
    time("published_at", "when that was noted", nullable=False),
    sa.Column(
        "forgotten",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="all up to here is no longer in the outbox",
    ),
    comment="How far the outbox is published; noted now and then, the topics themselves know"
    " exactly.",
)
