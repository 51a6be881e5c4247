"""The tables, as SQLAlchemy Core: the source of truth that migrations must arrive at."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)

USER_ROLES: Final = ("user", "admin")
USER_STATUSES: Final = ("pending", "active", "banned", "locked", "deprovisioned", "deleted")
OUTCOMES: Final = ("applied", "stale", "ignored", "dead")


def _one_of(column: str, values: tuple[str, ...]) -> sa.CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def _time(name: str, comment: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable, comment=comment)


USERS: Final = sa.Table(
    "users",
    METADATA,
    sa.Column("id", UUID, primary_key=True, comment="UUIDv5 of clerk_id"),
    sa.Column("clerk_id", sa.Text, nullable=False, unique=True, comment="Clerk's user id"),
    sa.Column("email", sa.Text, comment="primary address; not unique, Clerk reuses addresses"),
    sa.Column(
        "email_verified",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether the primary address was proven to be the user's",
    ),
    sa.Column("first_name", sa.Text, comment="given name"),
    sa.Column("last_name", sa.Text, comment="family name"),
    sa.Column("username", sa.Text, comment="user name, where the instance uses them"),
    sa.Column("image_url", sa.Text, comment="avatar"),
    sa.Column("external_id", sa.Text, comment="the application's own id, set through Clerk"),
    sa.Column(
        "role",
        sa.Text,
        nullable=False,
        server_default="user",
        comment="user | admin, from public_metadata.role",
    ),
    sa.Column(
        "status",
        sa.Text,
        nullable=False,
        server_default="pending",
        comment="pending (referenced, not yet seen) | active | banned | locked | deprovisioned"
        " | deleted (a tombstone: nothing brings it back)",
    ),
    sa.Column(
        "public_metadata",
        JSONB,
        nullable=False,
        server_default=sa.text("'{}'::jsonb"),
        comment="public_metadata as Clerk has it",
    ),
    _time("last_sign_in_at", "the latest sign-in seen, whatever order it came in"),
    _time("last_active_at", "the latest activity seen, whatever order it came in"),
    _time("created_at", "when Clerk created the user; null on tombstones"),
    _time("updated_at", "data.updated_at of the applied snapshot; null on tombstones"),
    _time("deleted_at", "when Clerk deleted the user"),
    sa.Column(
        "version",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="data.updated_at in ms (a tombstone: the deletion's time); the newest wins",
    ),
    sa.Column(
        "version_timestamp",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="the event's own time in ms; decides between equal versions",
    ),
    sa.Column(
        "version_event_id",
        sa.Text,
        nullable=False,
        server_default="",
        comment="the svix-id; decides between equal versions and times",
    ),
    _one_of("role", USER_ROLES),
    _one_of("status", USER_STATUSES),
    comment="One row for each Clerk user, living or deleted.",
)
sa.Index("users_email_idx", USERS.c.email)
sa.Index(
    "users_created_at_id_idx",
    USERS.c.created_at.desc(),
    USERS.c.id.desc(),
    postgresql_where=USERS.c.status.not_in(("pending", "deleted")),
)

EVENTS: Final = sa.Table(
    "events",
    METADATA,
    sa.Column(
        "event_id", sa.Text, primary_key=True, comment="svix-id, else topic-partition-offset"
    ),
    sa.Column(
        "occurred_at",
        sa.TIMESTAMP(timezone=True),
        primary_key=True,
        comment="the event's own time, 1970 where it names none; the table is partitioned by it",
    ),
    sa.Column("type", sa.Text, nullable=False, comment="Clerk's event type"),
    sa.Column("clerk_user_id", sa.Text, comment="whom the event is about, where it is a user"),
    _time("received_at", "when ingest accepted it", nullable=False),
    _time("applied_at", "when a worker first recorded it", nullable=False),
    sa.Column(
        "outcome",
        sa.Text,
        nullable=False,
        comment="applied | stale (something newer was there) | ignored (a type that changes"
        " nothing here) | dead (set aside in the dead-letter topic)",
    ),
    sa.Column("reason", sa.Text, comment="why it is dead: field and reason, no payload"),
    sa.Column("topic", sa.Text, nullable=False, comment="where Kafka keeps it"),
    sa.Column("partition", sa.Integer, nullable=False, comment="where Kafka keeps it"),
    sa.Column("offset", sa.BigInteger, nullable=False, comment="where Kafka keeps it"),
    _one_of("outcome", OUTCOMES),
    comment="The ledger: one row for each event that a worker has dealt with.",
    postgresql_partition_by="RANGE (occurred_at)",
)
sa.Index(
    "events_clerk_user_id_occurred_at_idx",
    EVENTS.c.clerk_user_id,
    EVENTS.c.occurred_at.desc(),
    postgresql_where=EVENTS.c.clerk_user_id.is_not(None),
)
