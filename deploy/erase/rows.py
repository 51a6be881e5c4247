"""What the tables have of a person, and how it goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiokafka import TopicPartition

from deploy.database import attempts
from schema.kafka.topics import SOURCES
from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from workers.erase import erase_users

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the tables have of somebody."""

    status: str | None
    """None where there is no row."""
    deleted_at: datetime | None
    erase_at: datetime | None
    """Until when the data of a deleted user is held back."""
    email: str | None
    rows: Mapping[str, int]
    """Table -> how many rows hold something of theirs; only where there are any."""
    copies: tuple[str, ...]
    """Schemas with tables of before a rebuild."""

    @property
    def is_living(self) -> bool:
        """Whether there is somebody whom no deletion has come for."""
        return self.status is not None and self.deleted_at is None

    @property
    def is_clean(self) -> bool:
        """Whether nothing is left but a tombstone."""
        held = self.is_living or self.erase_at is not None
        return not (held or self.rows or self.copies)


async def look_at_tables(connection: Connection, clerk_id: str) -> Tables:
    """Return what there is of a user, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        user = await connection.fetchrow(_SQL["find_user"], clerk_id)
        counted = await connection.fetch(_SQL["count_rows"], clerk_id, derive_id(clerk_id))
        copies = await connection.fetch(_SQL["find_copies"])
    return Tables(
        status=user["status"] if user else None,
        deleted_at=user["deleted_at"] if user else None,
        erase_at=user["erase_at"] if user else None,
        email=user["email"] if user else None,
        rows={row["name"]: row["rows"] for row in counted if row["rows"]},
        copies=tuple(row["nspname"] for row in copies),
    )


async def erase_rows(connection: Connection, clerk_id: str) -> None:
    """Erase a deleted user whose data is held back; whoever is not is left as they are.

    Raises LockNotAvailableError or DeadlockDetectedError when others leave no gap.
    """
    async for attempt in attempts():
        with attempt:
            async with connection.transaction():
                released = await connection.fetchval(_SQL["release_user"], clerk_id)
                if released:
                    await erase_users(connection, [released])


async def forget_statistics(connection: Connection) -> None:
    """Have PostgreSQL forget what it remembers of values that are gone, to plan queries.

    Raises LockNotAvailableError when others leave no gap.
    """
    async for attempt in attempts():
        with attempt:
            await connection.execute(_SQL["analyze"])


async def read_applied(connection: Connection) -> dict[TopicPartition, int]:
    """Return how far each partition is applied."""
    rows = await connection.fetch(_SQL["read_applied"], [topic.name for topic in SOURCES])
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}
