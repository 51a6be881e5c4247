"""The tables, as SQLAlchemy Core: the source of truth that migrations must arrive at."""

from __future__ import annotations

from schema.postgres.tables.columns import METADATA
from schema.postgres.tables.failures import (
    APPLIED_OFFSETS,
    DEAD_LETTERS,
    LINE_STOPS,
    OPERATIONS,
)
from schema.postgres.tables.ledger import EVENTS, OUTCOMES
from schema.postgres.tables.organizations import INVITATIONS, MEMBERSHIPS, ORGANIZATIONS
from schema.postgres.tables.outbox import OUTBOX, RELAY_PROGRESS
from schema.postgres.tables.posts import POSTS
from schema.postgres.tables.sessions import SESSIONS
from schema.postgres.tables.sweeps import SWEEPS
from schema.postgres.tables.user_data import USER_DATA, USER_NAMES
from schema.postgres.tables.users import USERS

__all__ = [
    "APPLIED_OFFSETS",
    "DEAD_LETTERS",
    "EVENTS",
    "INVITATIONS",
    "LINE_STOPS",
    "MEMBERSHIPS",
    "METADATA",
    "OPERATIONS",
    "ORGANIZATIONS",
    "OUTBOX",
    "OUTCOMES",
    "POSTS",
    "RELAY_PROGRESS",
    "SESSIONS",
    "SWEEPS",
    "USERS",
    "USER_DATA",
    "USER_NAMES",
]
