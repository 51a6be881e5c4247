"""Sessions: each is a sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from api.database import fetch, named_statements
from api.page import Found, Owned

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from api.database import Pool
    from api.page import Page

_SQL: Final = named_statements(__file__)


class Session(NamedTuple):
    """A session, as far as its user is told of it."""

    id: UUID
    clerk_id: str
    user_id: UUID
    status: str
    impersonated: bool
    device: str | None
    ip_address: str | None
    last_active_at: datetime | None
    expire_at: datetime | None
    abandon_at: datetime | None
    created_at: datetime
    updated_at: datetime


async def list_sessions(pool: Pool, user_id: UUID, page: Page[UUID]) -> Owned[Session]:
    """Return the user's sessions of `page`, newest first."""
    rows = await fetch(pool, _SQL["list_sessions"], user_id, *page.place, page.limit + 1)
    sessions = [
        Session(*(row[name] for name in Session._fields)) for row in rows if row["id"] is not None
    ]
    return Owned(rows[0]["user_status"] if rows else None, Found.cut(sessions, page.limit))
