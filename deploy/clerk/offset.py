"""Walk through a list that has no cursor, only an offset, while things come and go.

One that is deleted pulls all behind it forward: at the next offset some would be skipped. So pages
overlap, and a page counts only when it is certain that nothing lies between it and the one before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from deploy.clerk.page import Items, Page, Seen

OVERLAP: Final = 50
"""How many of a page are asked for again with the next one."""

Order = Literal["+created_at", "-updated_at"]


@dataclass(frozen=True, kw_only=True)
class Place:
    """How far a walk has come."""

    offset: int = 0
    """Where the next page begins."""
    last_ms: int = 0
    """The time, in the order of the walk, of the last one on the page before."""
    known: frozenset[str] = frozenset()
    """The ids on the page before, or at least the last."""

    def joins(self, items: Items, order: Order) -> bool:
        """Tell whether no unseen one can lie before these, which Clerk gave at or before here."""
        if any(each.id in self.known for each in items.seen):
            return True
        if not items.seen:
            return len(items) > 0
        first_ms = time_of(items.seen[0], order)
        return first_ms > self.last_ms if order == "-updated_at" else first_ms < self.last_ms


def read_place(cursor: str | None) -> Place:
    """Return where a page's cursor says to go on; without one, the beginning."""
    if not cursor:
        return Place()
    offset, last_ms, last_id = cursor.split(".", 2)
    return Place(offset=int(offset), last_ms=int(last_ms), known=frozenset({last_id}))


def time_of(seen: Seen, order: Order) -> int:
    """Return the time by which the walk is ordered."""
    return seen.created_at if order == "+created_at" else seen.updated_at


async def walk_by_offset(
    fetch: Callable[[int], Awaitable[Items]], place: Place, *, order: Order, limit: int
) -> AsyncGenerator[Page]:
    """Yield the pages from `place` on; `fetch` asks for `limit` things from an offset on."""
    while True:
        offset, items = await _fetch_joined(fetch, place, order=order, limit=limit)
        if not len(items):
            return
        place = _behind(items, offset, place, order=order, limit=limit)
        last_id = items.seen[-1].id if items.seen else ""
        yield items.page(f"{place.offset}.{place.last_ms}.{last_id}")
        if len(items) < limit:
            return


async def _fetch_joined(
    fetch: Callable[[int], Awaitable[Items]], place: Place, *, order: Order, limit: int
) -> tuple[int, Items]:
    """Return the next page and its offset: stepped back until it joins the one before."""
    offset, step = place.offset, limit
    while True:
        items = await fetch(offset)
        if offset == 0 or place.joins(items, order):
            return offset, items
        offset = max(0, offset - step)
        step *= 2


def _behind(items: Items, offset: int, before: Place, *, order: Order, limit: int) -> Place:
    following = offset + max(1, len(items) - min(OVERLAP, limit // 2))
    if not items.seen:
        return Place(offset=following, last_ms=before.last_ms, known=before.known)
    return Place(
        offset=following,
        last_ms=time_of(items.seen[-1], order),
        known=frozenset(each.id for each in items.seen),
    )
