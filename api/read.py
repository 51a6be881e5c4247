"""Reading from PostgreSQL: typed functions over `read.sql`, one statement for each request.

Every function raises DatabaseUnavailableError when PostgreSQL cannot answer now, and waits no
longer than ACQUIRE_S and QUERY_S in all, plus ACQUIRE_S to give up a hung connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import asyncpg
import structlog
from aiohttp import web

from schema.http.errors import HttpError
from schema.postgres.rows import UsersRow
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from api.page import ChangesPage, Cursor, Page
    from schema.http.tokens.claims import Caller

log = structlog.get_logger(__name__)

ACQUIRE_S: Final = 2.0
QUERY_S: Final = 3.0
CHECK_S: Final = 0.5

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"

POOL: Final[web.AppKey[Pool]] = web.AppKey("pool", asyncpg.Pool)
"""Where handlers find the pool."""

_SQL: Final = read_statements(__file__)

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


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What the database says of the caller."""

    role: str
    status: str


class Change(NamedTuple):
    """What others are told of a user or a post."""

    position: int
    """Its place among all changes, in microseconds since 1970 or a little more."""
    type: str
    key: str
    state: str | None
    """The state after it as JSON; None where nothing is left, or may be shown."""


class Changes(NamedTuple):
    """A page of the changes that a caller may see."""

    standing: Standing | None
    changes: Sequence[Change]
    more: bool
    """Whether others come after them."""
    head: int
    """The position of the newest change, or after it."""
    forgotten: int
    """All up to this position may be gone."""
    clock: int
    """The time of the database, as positions are."""


class Freshness(NamedTuple):
    """How new a user is."""

    status: str
    version: int


async def check_database(pool: Pool) -> None:
    """Return when PostgreSQL answers."""
    await _fetch(pool, "check", acquire_s=CHECK_S, query_s=CHECK_S)


async def read_standing(pool: Pool, caller: Caller) -> Standing | None:
    """Return what the database says of the caller, None when there is no row."""
    rows = await _fetch(pool, "read_standing", caller.user_id)
    return _standing(rows[0]) if rows else None


async def read_user(
    pool: Pool, *, caller_id: UUID, user_id: UUID
) -> tuple[Standing | None, UsersRow | None]:
    """Return the caller's standing and the user asked for, each None when there is no row."""
    (row,) = await _fetch(pool, "read_user", caller_id, user_id)
    return _standing(row), _user(row)


async def list_users(
    pool: Pool, *, caller_id: UUID, page: Page
) -> tuple[Standing | None, Sequence[UsersRow], bool]:
    """Return the caller's standing, the users of `page`, and whether more come after them."""
    after: Cursor | None = page.after
    rows = await _fetch(
        pool,
        "list_users",
        caller_id,
        after and after.created_at,
        after and after.user_id,
        page.limit + 1,
    )
    users = [user for row in rows if (user := _user(row))]
    return _standing(rows[0]), users[: page.limit], len(users) > page.limit


async def read_changes(pool: Pool, *, caller: Caller, page: ChangesPage) -> Changes:
    """Return the part of the changes that `page` asks for, as of one moment."""
    rows = await _fetch(
        pool, "read_changes", caller.user_id, caller.clerk_id, page.since, page.limit + 1
    )
    changes = [
        Change(row["position"], row["type"], row["key"], row["state"])
        for row in rows
        if row["position"] is not None
    ]
    return Changes(
        standing=_standing(rows[0]),
        changes=changes[: page.limit],
        more=len(changes) > page.limit,
        head=rows[0]["head"],
        forgotten=rows[0]["forgotten"],
        clock=rows[0]["clock"],
    )


async def read_versions(pool: Pool, users: Collection[UUID]) -> Mapping[UUID, Freshness]:
    """Return how new those of `users` are who are there."""
    rows = await _fetch(pool, "read_versions", list(users))
    return {row["id"]: Freshness(row["status"], row["version"]) for row in rows}


def _standing(row: asyncpg.Record) -> Standing | None:
    if row["caller_role"] is None:
        return None
    return Standing(role=row["caller_role"], status=row["caller_status"])


def _user(row: asyncpg.Record) -> UsersRow | None:
    if row["id"] is None:
        return None
    return UsersRow(**{name: row[name] for name in UsersRow.__struct_fields__})


async def _fetch(
    pool: Pool,
    statement: str,
    *arguments: object,
    acquire_s: float = ACQUIRE_S,
    query_s: float = QUERY_S,
) -> list[asyncpg.Record]:
    try:
        # The first timeout also bounds how long a hung connection may take to be given up.
        async with pool.acquire(timeout=acquire_s) as connection:
            return await connection.fetch(_SQL[statement], *arguments, timeout=query_s)
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
