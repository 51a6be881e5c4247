"""Measure how far the topics are behind the outbox, whoever publishes and even if nobody does."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from schema.postgres.statements import read_statements
from workers.classify import NotNowError, not_now_unless_bad

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from schema.ops.metrics import RelayMetrics
    from workers.relay.lead import Leader

    Pool = asyncpg.Pool[asyncpg.Record]

MEASURE_EVERY_S: Final = 2.0
MEASURE_TIMEOUT_S: Final = 5.0
MOST_COUNTED: Final = 100_000

_SQL: Final = read_statements(__file__)


class Backlog(NamedTuple):
    """What is not on the topics yet."""

    pending: int
    """How many changes, up to MOST_COUNTED."""
    lag_s: float
    """How long the oldest has been waiting; 0 when there is none."""


async def measure_backlog(pool: Pool, *, published: int) -> Backlog:
    """Return what is beyond what is noted, and beyond `published`. Raises NotNowError."""
    with not_now_unless_bad():
        async with asyncio.timeout(MEASURE_TIMEOUT_S), pool.acquire() as connection:
            row = await connection.fetchrow(_SQL["measure_backlog"], published, MOST_COUNTED)
    return Backlog(row["pending"], max(0.0, row["lag"])) if row else Backlog(0, 0.0)


@contextlib.asynccontextmanager
async def measuring(pool: Pool, leader: Leader, metrics: RelayMetrics) -> AsyncIterator[None]:
    """Keep the metrics up to date while the context lasts.

    While PostgreSQL does not answer they keep their last values: readiness tells of that.
    """
    task = asyncio.create_task(_measure_on(pool, leader, metrics))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _measure_on(pool: Pool, leader: Leader, metrics: RelayMetrics) -> None:
    while True:
        with contextlib.suppress(NotNowError):
            backlog = await measure_backlog(pool, published=leader.position)
            metrics.pending.set(backlog.pending)
            metrics.lag_seconds.set(backlog.lag_s)
        await asyncio.sleep(MEASURE_EVERY_S)
