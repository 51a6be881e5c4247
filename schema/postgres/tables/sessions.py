"""Sessions: each is a sign-in."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from schema.postgres.tables.columns import METADATA, keys, one_of, reference, time, versions

SESSION_STATUSES: Final = (
    *("pending", "active"),
    *("ended", "removed", "revoked"),
    *("expired", "abandoned", "replaced"),
)

SESSIONS: Final = sa.Table(
    "sessions",
    METADATA,
    *keys("session"),
    reference("user_id", "users", "who signed in"),
    sa.Column(
        "status",
        sa.Text,
        nullable=False,
        comment="pending (signed in, tasks unfinished) | active | ended | removed | revoked (told"
        " by Clerk, and final) | expired | abandoned (past expire_at, abandon_at: set by"
        " clerkwork maintain, Clerk sends no event) | replaced",
    ),
    sa.Column(
        "impersonated",
        sa.Boolean,
        nullable=False,
        server_default=sa.false(),
        comment="whether somebody else acted as the user: no sign-in of theirs",
    ),
    sa.Column("device", sa.Text, comment="browser and device of the first activity known"),
    sa.Column("ip_address", sa.Text, comment="address of the first activity known"),
    time("last_active_at", "the latest activity seen, whatever order it came in"),
    time("expire_at", "when it ends by itself"),
    time("abandon_at", "when it is given up"),
    time("created_at", "when the user signed in", nullable=False),
    time("updated_at", "data.updated_at of the applied snapshot", nullable=False),
    *versions("data.updated_at in ms; the newest wins, but what is final stays"),
    sa.Column(
        "activity_version",
        sa.BigInteger,
        comment="data.updated_at in ms of the snapshot that device and ip_address are from",
    ),
    sa.Column("activity_event_id", sa.Text, comment="its svix-id; decides between equal versions"),
    one_of("status", SESSION_STATUSES),
    comment="One row for each session of a user who is not erased.",
)
sa.Index(
    "sessions_user_id_created_at_id_idx",
    SESSIONS.c.user_id,
    SESSIONS.c.created_at.desc(),
    SESSIONS.c.id.desc(),
)
sa.Index("sessions_status_idx", SESSIONS.c.status)
sa.Index(
    "sessions_expire_at_idx",
    SESSIONS.c.expire_at,
    postgresql_where=SESSIONS.c.status.in_(("pending", "active")),
)
sa.Index(
    "sessions_abandon_at_idx",
    SESSIONS.c.abandon_at,
    postgresql_where=SESSIONS.c.status.in_(("pending", "active", "expired")),
)
