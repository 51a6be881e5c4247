"""A pool whose connection dies at the k-th step of a transaction, as when a worker is killed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]

STATEMENTS: Final = {"execute", "executemany", "fetch", "fetchrow", "fetchval"}


class CrashError(BaseException):
    """The worker died here; no handler of ordinary errors is to notice."""


class CrashingPool:
    """Wraps a pool: before its `step`th step the connection is cut and CrashError raised.

    Steps are the beginning, every statement, the commit, and the return after the commit.
    """

    def __init__(self, pool: Pool, *, step: int) -> None:
        self._pool, self.left = pool, step
        self.committed = False

    def as_pool(self) -> Pool:
        """Return itself for those who ask for a pool; `acquire` is all they may use."""
        return cast("Pool", self)

    @contextlib.asynccontextmanager
    async def acquire(self, **options: Any) -> AsyncIterator[Any]:
        """Acquire a connection that may die."""
        async with self._pool.acquire(**options) as connection:
            yield _CrashingConnection(connection, self)

    def step(self, connection: Any) -> None:
        """Take a step, or die."""
        self.left -= 1
        if self.left == 0:
            connection.terminate()
            raise CrashError


class _CrashingConnection:
    def __init__(self, connection: Any, pool: CrashingPool) -> None:
        self._connection, self._pool = connection, pool

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in STATEMENTS:
            return found

        async def run(*args: Any, **options: Any) -> Any:
            self._pool.step(self._connection)
            return await found(*args, **options)

        return run

    @contextlib.asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[None]:
        """Begin, and commit, each of which may be where the worker dies."""
        self._pool.step(self._connection)
        async with self._connection.transaction(**options):
            yield
            self._pool.step(self._connection)
        self._pool.committed = True
        self._pool.step(self._connection)
