"""What is derived from a user's events, or said by the user: one row for each thing."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

from schema.postgres.tables.columns import METADATA, one_of, reference, versions

USER_DATA_KEYS: Final = (
    *("preferences", "feature_flags", "onboarding_status"),
    *("session_count", "last_active", "login_history", "name_history"),
    *("last_clerk_sync", "signup_date", "signup_source"),
)

USER_DATA: Final = sa.Table(
    "user_data",
    METADATA,
    sa.Column(
        "user_id",
        UUID,
        sa.ForeignKey("users.id", ondelete="CASCADE"),
        primary_key=True,
        comment="whose it is",
    ),
    sa.Column(
        "key",
        sa.Text,
        primary_key=True,
        comment="preferences | feature_flags | onboarding_status (set by the application)"
        " | session_count | last_active | login_history | name_history | last_clerk_sync"
        " | signup_date | signup_source (derived from Clerk's events)",
    ),
    sa.Column(
        "value",
        JSONB,
        comment="its shape is in schema/postgres/user_data.py; null where a command deleted it",
    ),
    sa.Column(
        "version",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="time in ms of the command that it is from; 0 where it is derived",
    ),
    sa.Column(
        "version_event_id",
        sa.Text,
        nullable=False,
        server_default="",
        comment="its command's id; decides between equal times",
    ),
    one_of("key", USER_DATA_KEYS),
    comment="What the application and Clerk's events tell of a user, one row for each key.",
    postgresql_with={"fillfactor": 85},  # as users have it, for last_clerk_sync
)

USER_NAMES: Final = sa.Table(
    "user_names",
    METADATA,
    reference("user_id", "users", "whose name it is"),
    *versions("data.updated_at in ms of the snapshot that had the name"),
    sa.Column("first_name", sa.Text, comment="given name"),
    sa.Column("last_name", sa.Text, comment="family name"),
    sa.PrimaryKeyConstraint("user_id", "version"),
    comment="The name in every snapshot of a user, so that name_history loses no change.",
)
