"""What is waited for: how new users are, and which events are recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from api.database import fetch, named_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from api.database import Pool

_SQL: Final = named_statements(__file__)


class Freshness(NamedTuple):
    """How new a user is."""

    status: str
    version: int


class Awaited(NamedTuple):
    """What is there of what was looked for."""

    users: Mapping[UUID, Freshness]
    events: Mapping[str, str | None]
    """Event -> whom it is about, by Clerk's id."""


async def read_awaited(
    pool: Pool, *, users: Collection[UUID] = (), events: Collection[str] = ()
) -> Awaited:
    """Look for all of these at once."""
    rows = await fetch(pool, _SQL["read_awaited"], list(users), list(events))
    return Awaited(
        users={
            row["id"]: Freshness(row["status"], row["version"])
            for row in rows
            if row["id"] is not None
        },
        events={
            row["event_id"]: row["clerk_user_id"] for row in rows if row["event_id"] is not None
        },
    )
