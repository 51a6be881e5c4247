"""Events: what the ledger has of them."""

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


class Entry(NamedTuple):
    """What a user's history has of an event."""

    event_id: str
    type: str
    occurred_at: datetime
    outcome: str


class Event(NamedTuple):
    """What became of an event or a command."""

    event_id: str
    type: str
    clerk_user_id: str | None
    """Whom it is about, where it is a user who is not erased."""
    outcome: str
    reason: str | None
    occurred_at: datetime
    received_at: datetime
    applied_at: datetime


async def list_events_of(pool: Pool, user_id: UUID, page: Page[str]) -> Owned[Entry]:
    """Return the user's events of `page`, newest first."""
    rows = await fetch(pool, _SQL["list_events_of"], user_id, *page.place, page.limit + 1)
    entries = [
        Entry(*(row[name] for name in Entry._fields)) for row in rows if row["event_id"] is not None
    ]
    return Owned(rows[0]["user_status"] if rows else None, Found.cut(entries, page.limit))


async def read_event(pool: Pool, event_id: str) -> Event | None:
    """Return what became of an event; None while it is not recorded."""
    for row in await fetch(pool, _SQL["read_event"], event_id):
        return Event(*(row[name] for name in Event._fields))
    return None
