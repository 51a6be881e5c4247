"""Users, living or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from api.database import fetch, named_statements
from api.page import Found
from schema.postgres.rows import UsersRow

if TYPE_CHECKING:
    from uuid import UUID

    import asyncpg

    from api.database import Pool
    from api.page import Page

_SQL: Final = named_statements(__file__)


async def read_user(pool: Pool, user_id: UUID) -> UsersRow | None:
    """Return a user, None when there is no row."""
    for row in await fetch(pool, _SQL["read_user"], user_id):
        return _user(row)
    return None


async def list_users(pool: Pool, page: Page[UUID]) -> Found[UsersRow]:
    """Return the living users of `page`, newest first."""
    rows = await fetch(pool, _SQL["list_users"], *page.place, page.limit + 1)
    return Found.cut([_user(row) for row in rows], page.limit)


def _user(row: asyncpg.Record) -> UsersRow:
    return UsersRow(**dict(row))
