"""Sweep: walk through what Clerk has, and note whom it names and what differs."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from deploy.clerk.page import read_list
from deploy.clerk.resources import RESOURCES
from deploy.clerk.show import showing
from deploy.clerk.walk import count_users, walk_changed_users
from deploy.reconcile.compare import COMPARISONS, compare_users, forget_named, name_all
from deploy.reconcile.confirm import confirm_absent, count_living
from deploy.reconcile.sessions import look_at_sessions

if TYPE_CHECKING:
    from deploy.clerk.resources import Resource
    from deploy.clerk.sides import Sides
    from deploy.reconcile.confirm import Ceiling
    from deploy.reconcile.drift import Refusal
    from schema.clerk.client import Clerk

DATE_MS: Final = 1000
"""A Date tells whole seconds: Clerk's clock may have been so much further."""


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


async def sweep(
    sides: Sides, *, ceiling: Ceiling, sessions: int, cursor: str | None = None
) -> Swept:
    """Compare everything: first what Clerk has, then whom it has not named.

    The look at so many `sessions` goes on from `cursor`.
    """
    swept = await _begin(sides)
    for resource in RESOURCES:
        await _sweep(sides, resource, swept, ceiling=ceiling)
    swept.checked["sessions"], swept.cursor = await look_at_sessions(
        sides, most=sessions, cursor=cursor
    )
    return swept


async def _begin(sides: Sides) -> Swept:
    changed_until, users = await find_latest_change(sides.clerk), await count_users(sides.clerk)
    return Swept(changed_until=changed_until, users_at_clerk=users)


async def find_latest_change(clerk: Clerk) -> int | None:
    """Return the greatest updated_at of any user, None where there is none."""
    items = read_list(await clerk.get("/users", {"limit": 1, "order_by": "-updated_at"}))
    return items.seen[0].updated_at if items.seen else None


async def _sweep(sides: Sides, resource: Resource, swept: Swept, *, ceiling: Ceiling) -> None:
    """Compare all of a resource, unless the instance is to have none."""
    name, connection = resource.name, sides.connection
    total = await resource.count_enabled(sides.clerk)
    if total is None:
        return
    await forget_named(connection)
    living = (await count_living(connection))[name]
    began_ms = (await sides.clerk.get("/users/count")).clock_ms + DATE_MS
    swept.checked[name] = 0
    with showing(name, sides.console, total=total, clerk=sides.clerk) as course:
        async with contextlib.aclosing(resource.walk(sides.clerk)) as pages:
            async for page in pages:
                swept.unreadable[name] += len(page.unreadable)
                swept.unreadable[name] += await COMPARISONS[name](connection, page)
                await name_all(connection, page)
                swept.checked[name] += len(page.seen)
                course.advance(len(page.seen))
    refusal = await confirm_absent(sides, name, before_ms=began_ms, living=living, ceiling=ceiling)
    if refusal:
        swept.refusals.append(refusal)


async def sweep_changes(sides: Sides, *, since_ms: int) -> Swept:
    """Compare the users who changed at `since_ms`, a time of Clerk's, or later."""
    swept = await _begin(sides)
    swept.checked["users"] = 0
    with showing("users", sides.console, clerk=sides.clerk) as course:
        async with contextlib.aclosing(walk_changed_users(sides.clerk, since_ms=since_ms)) as pages:
            async for page in pages:
                swept.unreadable["users"] += len(page.unreadable)
                swept.unreadable["users"] += await compare_users(sides.connection, page)
                swept.checked["users"] += len(page.seen)
                course.advance(len(page.seen))
    return swept
