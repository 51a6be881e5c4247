"""Reading from PostgreSQL: typed functions over `read.sql`, one statement for each request.

Every function raises DatabaseUnavailableError when PostgreSQL cannot answer now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from api.database import fetch, named_statements
from schema.postgres.rows import UsersRow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from api.database import Pool
    from api.page import ChangesPage, Cursor, Page
    from schema.http.tokens.claims import Caller

_SQL: Final = named_statements(__file__)


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


async def read_standing(pool: Pool, caller: Caller) -> Standing | None:
    """Return what the database says of the caller, None when there is no row."""
    rows = await fetch(pool, _SQL["read_standing"], caller.user_id)
    return _standing(rows[0]) if rows else None


async def read_user(
    pool: Pool, *, caller_id: UUID, user_id: UUID
) -> tuple[Standing | None, UsersRow | None]:
    """Return the caller's standing and the user asked for, each None when there is no row."""
    (row,) = await fetch(pool, _SQL["read_user"], caller_id, user_id)
    return _standing(row), _user(row)


async def list_users(
    pool: Pool, *, caller_id: UUID, page: Page
) -> tuple[Standing | None, Sequence[UsersRow], bool]:
    """Return the caller's standing, the users of `page`, and whether more come after them."""
    after: Cursor | None = page.after
    rows = await fetch(
        pool,
        _SQL["list_users"],
        caller_id,
        after and after.created_at,
        after and after.user_id,
        page.limit + 1,
    )
    users = [user for row in rows if (user := _user(row))]
    return _standing(rows[0]), users[: page.limit], len(users) > page.limit


async def read_changes(pool: Pool, *, caller: Caller, page: ChangesPage) -> Changes:
    """Return the part of the changes that `page` asks for, as of one moment."""
    rows = await fetch(
        pool, _SQL["read_changes"], caller.user_id, caller.clerk_id, page.since, page.limit + 1
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
    rows = await fetch(pool, _SQL["read_versions"], list(users))
    return {row["id"]: Freshness(row["status"], row["version"]) for row in rows}


def _standing(row: asyncpg.Record) -> Standing | None:
    if row["caller_role"] is None:
        return None
    return Standing(role=row["caller_role"], status=row["caller_status"])


def _user(row: asyncpg.Record) -> UsersRow | None:
    if row["id"] is None:
        return None
    return UsersRow(**{name: row[name] for name in UsersRow.__struct_fields__})
