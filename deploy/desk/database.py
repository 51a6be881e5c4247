"""PostgreSQL, as the desk reads it: few connections, short statements, outages told in words."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, cast

import structlog
from aiohttp import web

from api.database import DRIVER_ERRORS, DatabaseUnavailableError, is_not_now
from schema.ops.probes import CheckFailedError
from schema.ops.tls import name_failure
from schema.postgres.pools import build_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    from deploy.letters.desk import DeskSettings

    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

CONNECTIONS: Final = 6
"""At most, and two more for each operation that runs."""
ACQUIRE_S: Final = 2.0
"""How long a request waits for a connection."""
STATEMENT_S: Final = 5.0
"""PostgreSQL ends a statement that takes longer."""


class Database:
    """Lends connections."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Have a connection while the context lasts. Raises DatabaseUnavailableError.

        What is read in it must be given out before it ends: then it is another's.
        """
        try:
            async with self._pool.acquire(timeout=ACQUIRE_S) as connection:
                # What a pool lends does all that a connection does.
                yield cast("Connection", connection)
        except DRIVER_ERRORS as error:
            if not is_not_now(error):
                raise
            log.warning(
                "database_unavailable",
                reason=name_failure(error),
                sqlstate=getattr(error, "sqlstate", None),
            )
            raise DatabaseUnavailableError from error

    async def check(self) -> None:
        """Return when PostgreSQL answers. Raises CheckFailedError."""
        try:
            async with self.reading() as connection:
                await connection.execute("SELECT 1")
        except DatabaseUnavailableError:
            raise CheckFailedError("PostgreSQL does not answer") from None


@contextlib.asynccontextmanager
async def opened_database(settings: DeskSettings) -> AsyncIterator[Database]:
    """Have a pool while the context lasts; PostgreSQL need not be there yet."""
    pool = build_pool(
        settings,
        name="clerkwork-desk",
        min_size=0,
        max_size=CONNECTIONS,
        session={"statement_timeout": f"{STATEMENT_S * 1000:.0f}ms"},
    )
    await pool
    try:
        yield Database(pool)
    finally:
        pool.terminate()


DATABASE: Final = web.AppKey("database", Database)
"""Where handlers find it."""
