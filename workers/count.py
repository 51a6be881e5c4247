"""Count what is in the tables, now and then, for the metrics."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from schema.ops.metrics import SESSION_STATUSES
from schema.postgres.statements import read_statements
from workers.retry import NotNowError, not_now_unless_bad

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from schema.ops.metrics import WorkerMetrics

    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

COUNT_EVERY_S: Final = 60.0
"""How old what the metrics say can be while PostgreSQL answers."""

COUNT_TIMEOUT_S: Final = 5.0
"""A count that takes longer, its connection included, is given up until the next time."""

_SQL: Final = read_statements(__file__)


async def count_sessions(connection: Connection) -> dict[str, int]:
    """Return how many sessions there are, by status, without statuses that do not occur."""
    rows = await connection.fetch(_SQL["count_sessions"])
    return {row["status"]: row["sessions"] for row in rows}


async def count_held_back(connection: Connection) -> int:
    """Return how many deleted users can still be restored."""
    return int(await connection.fetchval(_SQL["count_held_back"]))


@contextlib.asynccontextmanager
async def counting(
    pool: asyncpg.Pool[asyncpg.Record], metrics: WorkerMetrics
) -> AsyncIterator[None]:
    """Keep the metrics up to date while the context lasts.

    While PostgreSQL does not answer they keep their last values: readiness tells of that.
    """
    task = asyncio.create_task(_count_on(pool, metrics))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _count_on(pool: asyncpg.Pool[asyncpg.Record], metrics: WorkerMetrics) -> None:
    while True:
        with contextlib.suppress(NotNowError), not_now_unless_bad():
            await _count(pool, metrics)
        await asyncio.sleep(COUNT_EVERY_S)


async def _count(pool: asyncpg.Pool[asyncpg.Record], metrics: WorkerMetrics) -> None:
    async with asyncio.timeout(COUNT_TIMEOUT_S), pool.acquire() as connection:
        sessions = await count_sessions(connection)
        held_back = await count_held_back(connection)
    for status in SESSION_STATUSES:
        metrics.sessions.labels(status).set(sessions.get(status, 0))
    metrics.users_held_back.set(held_back)
