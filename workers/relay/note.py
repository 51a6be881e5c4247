"""Note how far the outbox is published, for those who look into PostgreSQL only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements
from workers.classify import not_now_unless_bad

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


async def read_progress(connection: Connection) -> int:
    """Return up to where all was published when that was noted, or 0. Raises NotNowError."""
    with not_now_unless_bad():
        return await connection.fetchval(_SQL["read_progress"]) or 0


async def note_progress(connection: Connection, position: int) -> None:
    """Note that all up to `position` is on the topics. Raises NotNowError."""
    with not_now_unless_bad():
        await connection.execute(_SQL["note_progress"], position)
