"""Fill a database with users: `.venv/bin/python -m tests.bench.growth_fill DIR --users 1000000`.

Each has a name, seven or eight rows of user_data, two sessions and four events in the ledger's last
six months; a tenth of them a change in the outbox. What is there stays: call it again to go on.
Keys are derived as workers do it, so that events of these users find their rows; ids look like
Clerk's, which begin with the time. Rows come in the order of ids, so that indexes grow as they
would.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from deploy.migrate import migrate
from deploy.stack import running_stack
from deploy.topics import apply_topics, connected_admin
from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import uuid
    from collections.abc import Iterator

    from deploy.stack import Stack

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


async def fill(url: str, users: int, *, seconds: float = float("inf")) -> int:
    """Fill until so many users are there or the time is over; return how many are."""
    ends = time.monotonic() + seconds
    connection = await asyncpg.connect(url)
    await execute_found(connection, "make_months", MONTHS)
    await connection.execute(_SQL["make_people"])
    there = await connection.fetchval(_SQL["count_people"])
    if there < users:
        await execute_found(connection, "hurry")
        await connection.execute("SELECT pg_reload_conf()")
        await connection.execute(_SQL["trust"])
        while there < users and time.monotonic() < ends:
            there = await _add(connection, there, min(there + CHUNK, users))
        await execute_found(connection, "take_time")
        await connection.execute("SELECT pg_reload_conf()")
        if there >= users:
            await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    await connection.close()
    return int(there)


async def _add(connection: Connection, first: int, end: int) -> int:
    async with connection.transaction():
        await connection.copy_records_to_table("people", records=_people(first, end))
        for name in _FILL:
            await connection.execute(_SQL[name], first, end, datetime.now(UTC))
    return end


async def prepare(stack: Stack) -> None:
    """Make tables and topics."""
    await migrate(stack.database_url)
    async with connected_admin({"bootstrap_servers": stack.bootstrap_servers}) as admin:
        await apply_topics(admin)


def main() -> None:
    """Fill, and say how far it is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    options = parser.parse_args()
    with running_stack(data=options.data) as stack:
        asyncio.run(prepare(stack))
        there = asyncio.run(fill(stack.database_url, options.users, seconds=options.seconds))
    print(f"{there:,} users")


if __name__ == "__main__":
    main()
