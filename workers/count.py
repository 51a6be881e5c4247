"""Count what is in the tables, now and then, for the metrics."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final, NamedTuple

from schema.ops.metrics import LETTER_STATES, SESSION_STATUSES
from schema.postgres.statements import read_statements
from workers.classify import NotNowError, not_now_unless_bad

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    import asyncpg

    from schema.ops.metrics import WorkerMetrics

    Connection = (
        asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    )

COUNT_EVERY_S: Final = 60.0
"""How old what the metrics say can be while PostgreSQL answers."""

COUNT_TIMEOUT_S: Final = 5.0
"""A count that takes longer, its connection included, is given up until the next time."""

WAITING: Final = frozenset({"open", "replaying", "parked"})
"""The states of dead letters that an operator has yet to do something about."""

_SQL: Final = read_statements(__file__)


class Letters(NamedTuple):
    """The dead letters of one state."""

    number: int
    oldest_s: float
    """For how long the oldest of them has been dead."""


async def count_sessions(connection: Connection) -> dict[str, int]:
    """Return how many sessions there are, by status, without statuses that do not occur."""
    rows = await connection.fetch(_SQL["count_sessions"])
    return {row["status"]: row["sessions"] for row in rows}


async def count_held_back(connection: Connection) -> int:
    """Return how many deleted users can still be restored."""
    return int(await connection.fetchval(_SQL["count_held_back"]))


async def count_letters(connection: Connection) -> dict[str, Letters]:
    """Return the dead letters by state, without states that do not occur."""
    rows = await connection.fetch(_SQL["count_letters"])
    return {row["state"]: Letters(row["letters"], row["oldest_s"]) for row in rows}


async def count_stops(connection: Connection) -> int:
    """Return how many partitions are stopped."""
    return int(await connection.fetchval(_SQL["count_stops"]))


async def count_months_ahead(connection: Connection) -> int:
    """Return how many months after this one the ledger has partitions for, without a gap."""
    return int(await connection.fetchval(_SQL["count_months_ahead"]))


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
        letters = await count_letters(connection)
        stops = await count_stops(connection)
        months_ahead = await count_months_ahead(connection)
    for status in SESSION_STATUSES:
        metrics.sessions.labels(status).set(sessions.get(status, 0))
    metrics.users_held_back.set(held_back)
    _show_letters(letters, metrics)
    metrics.line_stops.set(stops)
    metrics.ledger_months_ahead.set(months_ahead)


def _show_letters(letters: Mapping[str, Letters], metrics: WorkerMetrics) -> None:
    none = Letters(0, 0.0)
    for state in LETTER_STATES:
        metrics.dead_letters.labels(state).set(letters.get(state, none).number)
    oldest_s = max(letters.get(state, none).oldest_s for state in WAITING)
    metrics.dead_letter_oldest_seconds.set(oldest_s)
