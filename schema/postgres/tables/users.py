"""Users, living or deleted."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from schema.postgres.tables.columns import METADATA, json, keys, one_of, time, versions

USER_ROLES: Final = ("user", "admin")
USER_STATUSES: Final = ("pending", "active", "banned", "locked", "deprovisioned", "deleted")
SIGNUP_SOURCES: Final = ("clerk", "invite", "admin")

USERS: Final = sa.Table(
    "users",
    METADATA,
    *keys("user"),
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
        " | deleted (a tombstone: nothing that Clerk sends brings it back)",
    ),
    json("public_metadata", "public_metadata as Clerk has it"),
    time("last_sign_in_at", "the latest sign-in seen, whatever order it came in"),
    time("last_active_at", "the latest activity seen, whatever order it came in"),
    time("created_at", "when Clerk created the user; null on tombstones"),
    time("updated_at", "data.updated_at of the applied snapshot; null on tombstones"),
    time("deleted_at", "when Clerk deleted the user"),
    *versions("data.updated_at in ms (a tombstone: the deletion's time); the newest wins"),
    sa.Column(
        "signup_source",
        sa.Text,
        comment="clerk | invite | admin: how the oldest addresses were verified; invite outweighs"
        " admin, admin outweighs clerk",
    ),
    time("last_event_at", "the latest event about the user, by its own time"),
    sa.Column("deletion_event_id", sa.Text, comment="the svix-id of the deletion"),
    time(
        "erase_at",
        "until when a deleted user's data is held back, hidden, for a restoration; null on"
        " tombstones: theirs is erased",
    ),
    sa.Column(
        "held_status",
        sa.Text,
        comment="the status that a restoration gives back, while erase_at is set",
    ),
    time("restored_at", "when an operator restored the user: earlier deletions are void"),
    one_of("role", USER_ROLES),
    one_of("status", USER_STATUSES),
    one_of("signup_source", SIGNUP_SOURCES),
    one_of("held_status", [status for status in USER_STATUSES if status != "deleted"]),
    comment="One row for each Clerk user, living or deleted.",
    # Every event updates a row: with room beside it, no index is written.
    postgresql_with={"fillfactor": 70},
)
sa.Index("users_email_idx", USERS.c.email)
sa.Index(
    "users_created_at_id_idx",
    USERS.c.created_at.desc(),
    USERS.c.id.desc(),
    postgresql_where=USERS.c.status.not_in(("pending", "deleted")),
)
sa.Index("users_erase_at_idx", USERS.c.erase_at, postgresql_where=USERS.c.erase_at.is_not(None))
