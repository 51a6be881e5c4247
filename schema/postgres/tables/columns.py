"""The columns and checks that several tables have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

METADATA: Final = sa.MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "uq": "%(table_name)s_%(column_0_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
    }
)


def one_of(column: str, values: Iterable[str]) -> sa.CheckConstraint:
    """Return the check that `column` holds one of `values`."""
    listed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=column)


def time(name: str, comment: str, *, nullable: bool = True) -> sa.Column[object]:
    """Return a column for a moment."""
    return sa.Column(name, sa.TIMESTAMP(timezone=True), nullable=nullable, comment=comment)


def keys(named: str) -> tuple[sa.Column[object], sa.Column[object]]:
    """Return the two keys of a row that stands for something of Clerk's."""
    return (
        sa.Column("id", UUID, primary_key=True, comment="UUIDv5 of clerk_id"),
        sa.Column("clerk_id", sa.Text, nullable=False, unique=True, comment=f"Clerk's {named} id"),
    )


def reference(name: str, table: str, comment: str) -> sa.Column[object]:
    """Return a column that names a row of `table`, which may be only a stub yet."""
    return sa.Column(
        name,
        UUID,
        sa.ForeignKey(f"{table}.id", ondelete="CASCADE"),
        nullable=False,
        comment=comment,
    )


def json(name: str, comment: str, *, default: str = "{}") -> sa.Column[object]:
    """Return a column for JSON."""
    return sa.Column(
        name,
        JSONB,
        nullable=False,
        server_default=sa.text(f"'{default}'::jsonb"),
        comment=comment,
    )


def versions(first: str) -> tuple[sa.Column[object], ...]:
    """Return the three columns that decide which of two snapshots wins; `first` tells the first.

    0 and empty on stubs, so that anything seen wins.
    """
    return (
        sa.Column("version", sa.BigInteger, nullable=False, server_default="0", comment=first),
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
    )
