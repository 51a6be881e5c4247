"""The database: a pool, and one way to ask it that knows outages from bugs.

Asking raises DatabaseUnavailableError when PostgreSQL cannot answer now, and takes no longer than
ACQUIRE_S and QUERY_S in all, plus ACQUIRE_S to give up a hung connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import asyncpg
import structlog
from aiohttp import web

from schema.http.errors import HttpError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

log = structlog.get_logger(__name__)

ACQUIRE_S: Final = 2.0
QUERY_S: Final = 3.0
CHECK_S: Final = 0.5

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

POOL: Final[web.AppKey[Pool]] = web.AppKey("pool", asyncpg.Pool)
"""Where handlers find the pool."""

DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
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


_CHECK: Final = Statement("check", "SELECT 1")


async def check_database(pool: Pool) -> None:
    """Return when PostgreSQL answers. Raises DatabaseUnavailableError."""
    await fetch(pool, _CHECK, acquire_s=CHECK_S, query_s=CHECK_S)


async def fetch(
    pool: Pool,
    statement: Statement,
    *arguments: object,
    acquire_s: float = ACQUIRE_S,
    query_s: float = QUERY_S,
) -> Sequence[asyncpg.Record]:
    """Return the rows that `statement` finds. Raises DatabaseUnavailableError."""
    try:
        # The first timeout also bounds how long a hung connection may take to be given up.
        async with pool.acquire(timeout=acquire_s) as connection:
            return await connection.fetch(statement.sql, *arguments, timeout=query_s)
    except DRIVER_ERRORS as error:
        if not is_not_now(error):
            raise
        log.warning(
            "database_unavailable",
            reason=type(error).__name__,
            sqlstate=getattr(error, "sqlstate", None),
        )
        raise DatabaseUnavailableError from error


def is_not_now(error: Exception) -> bool:
    """Say whether `error` speaks of PostgreSQL's state, by type and SQLSTATE, never by text."""
    if isinstance(error, asyncpg.PostgresError):
        state = error.sqlstate or ""
        return state[:2] in _NOT_NOW_CLASSES or state in _NOT_NOW_STATES
    # The driver refuses a wrong argument with one of its InterfaceErrors: that is our bug.
    return not isinstance(error, ValueError)
