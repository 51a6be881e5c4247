"""Walk through users, organizations and memberships, missing nothing that stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from schema.clerk.client import Clerk

PAGE: Final = 500
"""How many Clerk gives at once at most."""


OVERLAP: Final = 50
"""How many of a page are asked for again with the next one, where Clerk has no cursor."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One thing on a page, as far as a walk needs to know it."""

    id: str
    updated_at: int
    created_at: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """What Clerk gave at once."""

    things: tuple[bytes, ...]
    """Each as Clerk has it: JSON."""
    seen: tuple[Seen, ...]
    """The same, read."""
    cursor: str
    """Where to go on after it: pass it to the same walk."""
    clock_ms: int
    """Clerk's clock when it was given."""


async def walk_users(
    clerk: Clerk, *, cursor: str | None = None, limit: int = PAGE
) -> AsyncIterator[Page]:
    """Yield all users by their creation, oldest first, from after `cursor`.

    Who is created meanwhile comes at the end; nobody who stays is missed.
    """
    while True:
        query: dict[str, str | int] = {"limit": limit, "order_by": "+created_at"}
        if cursor:
            query["starting_after"] = cursor
        answer = await clerk.get("/users", query)
        things = msgspec.json.decode(answer.body, type=list[msgspec.Raw])
        if not things:
            return
        page = _page(things, clock_ms=answer.clock_ms)
        cursor = page.seen[-1].id
        yield page
        if len(things) < limit:
            return


async def count_users(clerk: Clerk) -> int:
    """Return how many users Clerk has."""
    answer = await clerk.get("/users/count")
    return int(msgspec.json.decode(answer.body)["total_count"])


def _page(things: list[msgspec.Raw], *, clock_ms: int, cursor: str | None = None) -> Page:
    seen = tuple(msgspec.json.decode(each, type=Seen) for each in things)
    return Page(
        things=tuple(bytes(each) for each in things),
        seen=seen,
        cursor=cursor or seen[-1].id,
        clock_ms=clock_ms,
    )


async def walk_organizations(
    clerk: Clerk, *, cursor: str | None = None, limit: int = PAGE
) -> AsyncIterator[Page]:
    """Yield all organizations, oldest first, from `cursor` on; a few come twice.

    Clerk has no cursor here, only an offset: pages overlap, so that one which is deleted meanwhile
    pushes none of the others out of sight.
    """
    async for page in _walk_by_offset(clerk, "/organizations", cursor, limit):
        yield page


async def walk_memberships(
    clerk: Clerk, *, cursor: str | None = None, limit: int = PAGE
) -> AsyncIterator[Page]:
    """Yield all memberships of all organizations, as `walk_organizations` does."""
    async for page in _walk_by_offset(clerk, "/organization_memberships", cursor, limit):
        yield page


async def walk_changed_users(
    clerk: Clerk, *, since_ms: int, limit: int = PAGE
) -> AsyncIterator[Page]:
    """Yield the users who changed at `since_ms` or later, the latest first; a few come twice."""
    offset = 0
    while True:
        query: dict[str, str | int] = {
            "limit": limit,
            "offset": offset,
            "order_by": "-updated_at",
        }
        answer = await clerk.get("/users", query)
        things = msgspec.json.decode(answer.body, type=list[msgspec.Raw])
        if not things:
            return
        offset += max(1, len(things) - OVERLAP)
        page = _page(things, clock_ms=answer.clock_ms, cursor=str(offset))
        yield page
        if len(things) < limit or page.seen[-1].updated_at < since_ms:
            return


async def _walk_by_offset(
    clerk: Clerk, path: str, cursor: str | None, limit: int
) -> AsyncIterator[Page]:
    offset = int(cursor or 0)
    while True:
        query: dict[str, str | int] = {
            "limit": limit,
            "offset": offset,
            "order_by": "+created_at",
        }
        answer = await clerk.get(path, query)
        things = msgspec.json.decode(answer.body, type=_Wrapped).data
        if not things:
            return
        offset += max(1, len(things) - OVERLAP)
        yield _page(things, clock_ms=answer.clock_ms, cursor=str(offset))
        if len(things) < limit:
            return


class _Wrapped(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]
    total_count: int = 0
