"""The database: a pool, and one way to ask it that knows outages from bugs.

Asking raises DatabaseUnavailableError when PostgreSQL cannot answer now. It takes no longer than
`acquire_s` and `query_s` of the limits, plus GRACE_S; a statement whose connection is lost is sent
once more, over another one. While PostgreSQL is known to be away the answer comes at once.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import asyncpg
import structlog
from aiohttp import web

from schema.http.errors import HttpError
from schema.ops.breakers import Breaker, BreakerOpenError
from schema.ops.tls import name_failure
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from schema.ops.metrics import ApiMetrics

    Pooled = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger(__name__)

ACQUIRE_S: Final = 2.0
QUERY_S: Final = 3.0
CHECK_S: Final = 0.5
GRACE_S: Final = 0.5
"""PostgreSQL ends a statement after `query_s`; who has not heard of that by now never will."""
BREAKER_OPEN_S: Final = 1.0
"""How long PostgreSQL is not asked before one request tries again."""

Connections: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    # Also what using a connection raises between the server's farewell and the end of the stream.
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""Whatever asking PostgreSQL can raise; `is_not_now` tells outages from bugs."""

_NOT_NOW_CLASSES: Final = frozenset({"08", "25", "28", "3D", "40", "53", "55", "57", "58"})
"""SQLSTATE classes that speak of the server's state, not of our statement.

https://www.postgresql.org/docs/18/errcodes-appendix.html
"""
_NOT_NOW_STATES: Final = frozenset({"3F000", "42501", "42703", "42P01"})
"""Schema, right, column, table missing: someone migrates or must."""
_AWAY_CLASSES: Final = frozenset({"08", "28", "3D", "53", "58"})
_AWAY_STATES: Final = frozenset({"57P01", "57P02", "57P03"})
"""Those of them that no statement would have fared better with: not a timeout, not a lock."""
_LOST_STATES: Final = frozenset({"57P01", "57P02"})
"""The server ended this connection; the next one may be good."""


class DatabaseUnavailableError(HttpError):
    """PostgreSQL cannot answer now; asking again soon may help."""

    def __init__(self) -> None:
        super().__init__(
            "DATABASE_UNAVAILABLE",
            "The database does not answer at the moment.",
            headers={"Retry-After": "2"},
        )


class Statement(NamedTuple):
    """A statement and the name that logs and metrics know it by."""

    name: str
    sql: str


def named_statements(module_file: str) -> dict[str, Statement]:
    """Return name -> statement from the `.sql` file beside `module_file` (pass `__file__`)."""
    return {name: Statement(name, sql) for name, sql in read_statements(module_file).items()}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long things may take."""

    acquire_s: float = ACQUIRE_S
    """Waiting for a connection, or for one to open."""
    query_s: float = QUERY_S
    """A statement, from sending it to its last row."""
    slow_s: float = 0.2
    """A statement that takes longer is warned of."""


class _Bounds(NamedTuple):
    acquire_s: float
    query_s: float


class CrowdedError(TimeoutError):
    """All connections were in use for all the time that a request may wait for one."""


_CHECK: Final = Statement("check", "SELECT 1")


class Database:
    """Asks PostgreSQL over a pool, measures each statement, and knows when it is away."""

    def __init__(self, pool: Connections, *, limits: Limits, metrics: ApiMetrics) -> None:
        self.pool = pool
        self._limits = limits
        self._metrics = metrics
        self._expired_at = -math.inf
        self._breaker = Breaker(
            "database", open_s=BREAKER_OPEN_S, judge=is_away, gauge=metrics.breaker_open
        )

    async def fetch(
        self,
        statement: Statement,
        *arguments: object,
        acquire_s: float | None = None,
        query_s: float | None = None,
    ) -> Sequence[asyncpg.Record]:
        """Return the rows that `statement` finds. Raises DatabaseUnavailableError."""
        bounds = _Bounds(acquire_s or self._limits.acquire_s, query_s or self._limits.query_s)
        try:
            with self._breaker.guard():
                return await self._insist(statement, arguments, bounds)
        except BreakerOpenError:
            raise DatabaseUnavailableError from None
        except DRIVER_ERRORS as error:
            if not is_not_now(error):
                raise
            log.warning(
                "database_unavailable",
                statement=statement.name,
                reason=name_failure(error),
                sqlstate=getattr(error, "sqlstate", None),
            )
            raise DatabaseUnavailableError from error

    async def check(self) -> str:
        """Return how PostgreSQL is, in words. Raises DatabaseUnavailableError."""
        started = time.perf_counter()
        await self.fetch(_CHECK, acquire_s=CHECK_S, query_s=CHECK_S)
        milliseconds = (time.perf_counter() - started) * 1000
        size, idle = self.pool.get_size(), self.pool.get_idle_size()
        return (
            f"ok: answers in {milliseconds:.1f} ms, {size - idle} of at most"
            f" {self.pool.get_max_size()} connections in use, {idle} idle"
        )

    async def _insist(
        self, statement: Statement, arguments: Sequence[object], bounds: _Bounds
    ) -> Sequence[asyncpg.Record]:
        started = time.perf_counter()
        try:
            return await self._fetch(statement, arguments, bounds)
        except DRIVER_ERRORS as error:
            if not is_lost(error) or time.perf_counter() - started >= bounds.query_s:
                raise
        self._metrics.reads_repeated.inc()
        return await self._fetch(statement, arguments, bounds)

    async def _fetch(
        self, statement: Statement, arguments: Sequence[object], bounds: _Bounds
    ) -> Sequence[asyncpg.Record]:
        asked = time.perf_counter()
        connection = await self._acquire(bounds.acquire_s)
        started = time.perf_counter()
        self._metrics.acquire_seconds.observe(started - asked)
        rows: Sequence[asyncpg.Record] = ()
        try:
            rows = await connection.fetch(
                statement.sql, *arguments, timeout=bounds.query_s + GRACE_S
            )
        except DRIVER_ERRORS as error:
            if is_lost(error):
                await self._expire(since=started)
            raise
        finally:
            self._note(statement, time.perf_counter() - started, rows=len(rows))
            await self._release(connection)
        return rows

    async def _acquire(self, acquire_s: float) -> Pooled:
        try:
            return await self.pool.acquire(timeout=acquire_s)
        except TimeoutError:
            # When all are open and taken, it is us who ask too much: PostgreSQL may be well.
            if self.pool.get_size() == self.pool.get_max_size() and not self.pool.get_idle_size():
                raise CrowdedError from None
            raise

    async def _release(self, connection: Pooled) -> None:
        try:
            # Bounded by the timeout of acquiring it, also where the connection hangs.
            await self.pool.release(connection)
        except DRIVER_ERRORS as error:
            # The pool has let go of it: what was read is read, what failed has its own reason.
            log.debug("connection_dropped", reason=type(error).__name__)

    def _note(self, statement: Statement, seconds: float, *, rows: int) -> None:
        self._metrics.query_seconds.labels(statement.name).observe(seconds)
        slow = seconds > self._limits.slow_s
        write, event = (log.warning, "slow_query") if slow else (log.debug, "query")
        write(event, statement=statement.name, duration_ms=round(seconds * 1000, 2), rows=rows)

    async def _expire(self, *, since: float) -> None:
        # What ended one connection has often ended all, and the pool may not have noticed yet:
        # those that were opened before `since` are replaced, unless they have been already.
        if self._expired_at < since:
            self._expired_at = time.perf_counter()
            await self.pool.expire_connections()


Pool: TypeAlias = Database

POOL: Final = web.AppKey("pool", Database)
"""Where handlers find the database."""


async def check_database(pool: Pool) -> str:
    """Return how PostgreSQL is, in words. Raises DatabaseUnavailableError."""
    return await pool.check()


async def fetch(pool: Pool, statement: Statement, *arguments: object) -> Sequence[asyncpg.Record]:
    """Return the rows that `statement` finds. Raises DatabaseUnavailableError."""
    return await pool.fetch(statement, *arguments)


def is_not_now(error: Exception) -> bool:
    """Say whether `error` speaks of PostgreSQL's state, by type and SQLSTATE, never by text."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in _NOT_NOW_CLASSES or state in _NOT_NOW_STATES
    return not _is_bug(error)


def is_lost(error: BaseException | None) -> bool:
    """Say whether `error` is the end of one connection, which tells nothing of the next."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] == "08" or state in _LOST_STATES
    if isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError):
        return not isinstance(error, ValueError)
    return isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)


def is_away(error: Exception) -> bool | None:
    """Say whether `error` means that no statement would be answered; None when it tells nothing."""
    if isinstance(error, CrowdedError):
        return None
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in _AWAY_CLASSES or state in _AWAY_STATES
    return isinstance(error, DRIVER_ERRORS) and not _is_bug(error)


def _is_bug(error: Exception) -> bool:
    """Say whether the driver refuses an argument of ours, with one of its InterfaceErrors.

    What the URL says of TLS is none of ours, and a certificate that is not trusted is a ValueError
    to Python.
    """
    kinds = asyncpg.ClientConfigurationError, OSError
    return isinstance(error, ValueError) and not isinstance(error, kinds)
