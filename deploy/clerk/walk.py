"""Walk through users, organizations and memberships, missing nothing that stays.

Clerk changes while it is walked through. Whatever is there from the beginning of a walk to its end
is seen at least once, and some of it twice; what comes or goes meanwhile may be seen or not.
A walk asks for one page more than it has given. Raises ClerkRefusedError, ClerkUnavailableError.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from deploy.clerk.ahead import one_ahead
from deploy.clerk.offset import Place, read_place, walk_by_offset
from deploy.clerk.page import Page, Seen, read_count, read_wrapped
from deploy.clerk.users import list_users, walk_by_cursor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from deploy.clerk.page import Items
    from schema.clerk.client import Clerk

__all__ = [
    "PAGE",
    "Page",
    "Seen",
    "count_memberships",
    "count_organizations",
    "count_users",
    "walk_changed_users",
    "walk_memberships",
    "walk_organizations",
    "walk_users",
]

PAGE: Final = 500
"""How many Clerk gives at once at most."""

_MOST_ROUNDS: Final = 10
"""How often the latest changes are looked at again for those that moved there meanwhile."""


def walk_users(
    clerk: Clerk, *, cursor: str | None = None, limit: int = PAGE
) -> AsyncGenerator[Page]:
    """Yield all users by their creation, oldest first, from after `cursor`.

    Who is created meanwhile comes at the end.
    """
    return one_ahead(walk_by_cursor(clerk, cursor, limit))


def walk_organizations(
    clerk: Clerk, *, cursor: str | None = None, limit: int = PAGE
) -> AsyncGenerator[Page]:
    """Yield all organizations, oldest first, from after `cursor`; a few come twice."""
    return one_ahead(_walk_wrapped(clerk, "/organizations", cursor, limit))


def walk_memberships(
    clerk: Clerk, *, cursor: str | None = None, limit: int = PAGE
) -> AsyncGenerator[Page]:
    """Yield all memberships of all organizations, as `walk_organizations` does."""
    return one_ahead(_walk_wrapped(clerk, "/organization_memberships", cursor, limit))


def walk_changed_users(clerk: Clerk, *, since_ms: int, limit: int = PAGE) -> AsyncGenerator[Page]:
    """Yield the users who changed at `since_ms` or later, the latest first; a few come twice.

    One who changes during the walk moves to its beginning, so that is looked at again in the end.
    """
    return one_ahead(_walk_changed(clerk, since_ms, limit))


async def count_users(clerk: Clerk) -> int:
    """Return how many users Clerk has."""
    return read_count(await clerk.get("/users/count"))


async def count_organizations(clerk: Clerk) -> int:
    """Return how many organizations Clerk has."""
    return read_count(await clerk.get("/organizations", {"limit": 1}))


async def count_memberships(clerk: Clerk) -> int:
    """Return how many memberships Clerk has in all organizations."""
    return read_count(await clerk.get("/organization_memberships", {"limit": 1}))


def _walk_wrapped(clerk: Clerk, path: str, cursor: str | None, limit: int) -> AsyncGenerator[Page]:
    async def fetch(offset: int) -> Items:
        query: dict[str, str | int] = {"limit": limit, "offset": offset, "order_by": "+created_at"}
        return read_wrapped(await clerk.get(path, query))

    return walk_by_offset(fetch, read_place(cursor), order="+created_at", limit=limit)


async def _walk_changed(clerk: Clerk, since_ms: int, limit: int) -> AsyncGenerator[Page]:
    async def fetch(offset: int) -> Items:
        return await list_users(clerk, limit=limit, order_by="-updated_at", offset=offset)

    for _ in range(_MOST_ROUNDS):
        latest_ms, pages = since_ms, 0
        async for page in walk_by_offset(fetch, Place(), order="-updated_at", limit=limit):
            pages += 1
            if page.seen:
                latest_ms = max(latest_ms, page.seen[0].updated_at) if pages == 1 else latest_ms
            changed = _since(page, since_ms)
            if changed.seen or changed.unreadable:
                yield changed
            if page.seen and page.seen[-1].updated_at < since_ms:
                break
        if pages <= 1:
            return
        since_ms = latest_ms


def _since(page: Page, since_ms: int) -> Page:
    kept = [index for index, each in enumerate(page.seen) if each.updated_at >= since_ms]
    return replace(
        page,
        things=tuple(page.things[index] for index in kept),
        seen=tuple(page.seen[index] for index in kept),
    )
