"""Sweep: walk through what Clerk has, and note whom it names and what differs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deploy.clerk.page import read_list
from deploy.clerk.walk import (
    count_users,
    walk_changed_users,
    walk_memberships,
    walk_organizations,
    walk_users,
)
from deploy.reconcile import note
from deploy.reconcile.compare import COMPARISONS, compare_users, forget_named, name_all
from deploy.reconcile.confirm import confirm_absent, count_living
from deploy.reconcile.sessions import look_at_sessions
from schema.clerk.client import ClerkRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from deploy.clerk.page import Page
    from deploy.reconcile.confirm import Ceiling
    from deploy.reconcile.drift import Refusal
    from deploy.reconcile.sides import Sides
    from schema.clerk.client import Clerk

    Progress = Callable[[str, int], None]
    """Called with a resource, and how much more of it was compared."""

WALKS: Final[Mapping[str, Callable[[Clerk], AsyncIterator[Page]]]] = {
    "users": walk_users,
    "organizations": walk_organizations,
    "memberships": walk_memberships,
}
"""Resource -> how all of it is walked through."""

DATE_MS: Final = 1000
"""A Date tells whole seconds: Clerk's clock may have been so much further."""

NOT_ENABLED: Final = "organization_not_enabled_in_instance"
"""What Clerk's errors say where an instance has no organizations."""


@dataclass(kw_only=True)
class Swept:
    """What a sweep has seen."""

    checked: Counter[str] = field(default_factory=Counter)
    unreadable: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    cursor: str | None = None
    """Where the next look at sessions goes on."""
    changed_until: int | None = None
    """The greatest updated_at of a user that Clerk had at the beginning."""
    users_at_clerk: int | None = None


async def sweep(sides: Sides, *, ceiling: Ceiling, sessions: int, progress: Progress) -> Swept:
    """Compare everything: first what Clerk has, then whom it has not named."""
    swept = await _begin(sides)
    for resource in WALKS:
        try:
            await _sweep(sides, resource, swept, ceiling=ceiling, progress=progress)
        except ClerkRefusedError as error:
            if error.code != NOT_ENABLED:
                raise
    cursor = await note.read_cursor(sides.connection, "sessions")
    looked, swept.cursor = await look_at_sessions(sides, most=sessions, cursor=cursor)
    swept.checked["sessions"] = looked
    progress("sessions", looked)
    return swept


async def _begin(sides: Sides) -> Swept:
    changed_until, users = await find_latest_change(sides.clerk), await count_users(sides.clerk)
    return Swept(changed_until=changed_until, users_at_clerk=users)


async def find_latest_change(clerk: Clerk) -> int | None:
    """Return the greatest updated_at of any user, None where there is none."""
    items = read_list(await clerk.get("/users", {"limit": 1, "order_by": "-updated_at"}))
    return items.seen[0].updated_at if items.seen else None


async def _sweep(
    sides: Sides, resource: str, swept: Swept, *, ceiling: Ceiling, progress: Progress
) -> None:
    connection = sides.connection
    await forget_named(connection)
    living = (await count_living(connection))[resource]
    began_ms = (await sides.clerk.get("/users/count")).clock_ms + DATE_MS
    async for page in WALKS[resource](sides.clerk):
        swept.unreadable[resource] += len(page.unreadable)
        swept.unreadable[resource] += await COMPARISONS[resource](connection, page)
        await name_all(connection, page)
        swept.checked[resource] += len(page.seen)
        progress(resource, len(page.seen))
    refusal = await confirm_absent(
        sides, resource, before_ms=began_ms, living=living, ceiling=ceiling
    )
    if refusal:
        swept.refusals.append(refusal)


async def sweep_changes(sides: Sides, *, since_ms: int, progress: Progress) -> Swept:
    """Compare the users who changed at `since_ms`, a time of Clerk's, or later."""
    swept = await _begin(sides)
    async for page in walk_changed_users(sides.clerk, since_ms=since_ms):
        swept.unreadable["users"] += await compare_users(sides.connection, page)
        swept.checked["users"] += len(page.seen)
        progress("users", len(page.seen))
    return swept
