"""Walk through users by Clerk's cursor, also when the user it stands on is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.clerk.page import read_list
from schema.clerk.client import ClerkRefusedError, ClerkUnavailableError, NotAtClerkError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from deploy.clerk.page import Items, Page
    from schema.clerk.client import Clerk

_REFUSALS: Final = frozenset({400, 422})
"""What Clerk may answer to a cursor that is nobody's any more; it does not say which."""


@dataclass(frozen=True, kw_only=True)
class _Last:
    """The user on whom the cursor stands."""

    id: str
    created_at: int


async def list_users(clerk: Clerk, *, limit: int, **query: str | int) -> Items:
    """Return a page of users."""
    return read_list(await clerk.get("/users", {"limit": limit} | query))


async def walk_by_cursor(clerk: Clerk, cursor: str | None, limit: int) -> AsyncGenerator[Page]:
    """Yield the users from after `cursor` on, oldest first."""
    last = _read_cursor(cursor) if cursor else None
    while True:
        items = await _list_after(clerk, last, limit)
        if items.seen:
            last = _Last(id=items.seen[-1].id, created_at=items.seen[-1].created_at)
        elif len(items) == limit:
            raise ClerkUnavailableError("nothing on a whole page of Clerk's can be read")
        if len(items):
            yield items.page(f"{last.created_at}.{last.id}" if last else "")
        if len(items) < limit:
            return


def _read_cursor(cursor: str) -> _Last:
    created_at, _, user_id = cursor.partition(".")
    return _Last(id=user_id, created_at=int(created_at))


async def _list_after(clerk: Clerk, last: _Last | None, limit: int) -> Items:
    if last is None:
        return await list_users(clerk, limit=limit, order_by="+created_at")
    try:
        items = await list_users(clerk, limit=limit, order_by="+created_at", starting_after=last.id)
    except NotAtClerkError:
        return await _list_from(clerk, last, limit)
    except ClerkRefusedError as error:
        if error.status not in _REFUSALS:
            raise
        items = await _list_from(clerk, last, limit)
        if any(each.id == last.id for each in items.seen):
            raise  # the user is there: it was something else that Clerk did not take
        return items
    if await _is_lost(clerk, items, last, limit):
        return await _list_from(clerk, last, limit)
    return items


async def _is_lost(clerk: Clerk, items: Items, last: _Last, limit: int) -> bool:
    """Tell whether Clerk may have given something else than those after `last`."""
    if items.seen and items.seen[0].created_at < last.created_at:
        return True
    # The end must not be believed on the word of a user who may be gone.
    return len(items) < limit and not len(await list_users(clerk, limit=1, user_id=last.id))


async def _list_from(clerk: Clerk, last: _Last, limit: int) -> Items:
    """Return those created with `last` or later: some of them again."""
    return await list_users(
        clerk, limit=limit, order_by="+created_at", created_at_after=last.created_at - 1
    )
