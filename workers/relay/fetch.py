"""Fetch what comes next in the outbox.

Positions become visible in their order (see `workers/tell.sql`), so whoever has read one has
missed none before it, and where one has come to is all there is to remember.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from schema.postgres.statements import read_statements
from workers.classify import not_now_unless_bad

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

CHANNEL: Final = "clerkwork_outbox"
"""Whoever listens there is woken when something new is in the outbox."""

_SQL: Final = read_statements(__file__)


class Change(NamedTuple):
    """What others are to be told."""

    position: int
    topic: str
    key: str
    type: str
    state: str | None
    """JSON; None where nothing may be left."""
    traceparent: str | None = None
    """Which trace goes on with it, where somebody traces."""


async def fetch_changes(connection: Connection, *, after: int, limit: int) -> list[Change]:
    """Return what follows the position `after`, in its order. Raises NotNowError."""
    with not_now_unless_bad():
        rows = await connection.fetch(_SQL["fetch_changes"], after, limit)
    return [Change(*row) for row in rows]
