"""How far a look through all that Clerk has has come."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from schema.postgres.tables.columns import METADATA, one_of, time

SWEEP_KINDS: Final = ("backfill", "reconcile")
SWEEP_RESOURCES: Final = ("users", "organizations", "memberships", "sessions")

SWEEPS: Final = sa.Table(
    "sweeps",
    METADATA,
    sa.Column("kind", sa.Text, primary_key=True, comment="backfill | reconcile"),
    sa.Column(
        "resource",
        sa.Text,
        primary_key=True,
        comment="users | organizations | memberships | sessions",
    ),
    sa.Column(
        "cursor", sa.Text, comment="where to go on; null at the beginning, and once it is finished"
    ),
    sa.Column(
        "changed_until",
        sa.BigInteger,
        comment="updated_at in ms up to which all changes at Clerk were looked at; null before the"
        " first that was finished",
    ),
    sa.Column(
        "seen", sa.BigInteger, nullable=False, server_default="0", comment="how many Clerk had"
    ),
    sa.Column(
        "published",
        sa.BigInteger,
        nullable=False,
        server_default="0",
        comment="how many of them were put on Kafka",
    ),
    time("started_at", "when it began; the snapshots it publishes bear this time", nullable=False),
    time("noted_at", "when this was written", nullable=False),
    time("finished_at", "when it was through; null while it runs or after a crash"),
    one_of("kind", SWEEP_KINDS),
    one_of("resource", SWEEP_RESOURCES),
    comment="How far backfill and reconcile have come, one row for each resource.",
)
