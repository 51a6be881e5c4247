"""Fill a database with users.

Each has a name, seven or eight rows of user_data, two sessions and four events in the ledger's last
six months; a tenth of them a change in the outbox. Keys are derived as workers do it, so that
events of these users find their rows; ids look like Clerk's, which begin with the time. Rows come
in the order of ids, so that indexes grow as they would.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    Connection = asyncpg.Connection[asyncpg.Record]
    Executor = Connection | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

CHUNK: Final = 25_000
MONTHS: Final = 8
_SQL: Final = read_statements(__file__)
_FILL: Final = (
    *("fill_users", "fill_names", "fill_sessions", "fill_user_data", "fill_events"),
    "fill_outbox",
)


def clerk_id(kind: str, number: int) -> str:
    """Return an id of 27 characters and a prefix: its first ten grow with time, as Clerk's do."""
    chance = hashlib.md5(f"{number}{kind[0]}".encode(), usedforsecurity=False).hexdigest()
    return f"{kind}_{number:010d}{chance[:17]}"


def _people(first: int, end: int) -> Iterator[tuple[int, str, uuid.UUID, list[uuid.UUID]]]:
    for n in range(first, end):
        user = clerk_id("user", n)
        sessions = [derive_id(clerk_id("sess", n * 2 + s)) for s in (1, 2)]
        yield n, user, derive_id(user), sessions


async def execute_found(connection: Executor, name: str, *arguments: object) -> None:
    """Run the statements that a statement of this module finds."""
    for row in await connection.fetch(_SQL[name], *arguments):
        await connection.execute(row["statement"])


async def fill(url: str, users: int) -> None:
    """Fill a migrated database that has no user yet."""
    connection = await asyncpg.connect(url)
    await execute_found(connection, "make_months", MONTHS)
    await connection.execute(_SQL["make_people"])
    await execute_found(connection, "hurry")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute(_SQL["trust"])
    for first in range(0, users, CHUNK):
        await _add(connection, first, min(first + CHUNK, users))
    await execute_found(connection, "take_time")
    await connection.execute("SELECT pg_reload_conf()")
    await connection.execute("VACUUM ANALYZE")
    await connection.execute("CHECKPOINT")
    await connection.close()


async def _add(connection: Connection, first: int, end: int) -> None:
    async with connection.transaction():
        await connection.copy_records_to_table("people", records=_people(first, end))
        for name in _FILL:
            await connection.execute(_SQL[name], first, end, datetime.now(UTC))
