"""Confirm that Clerk has no more what it did not name: by a look at each, up to a ceiling."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.reconcile.drift import Refusal
from deploy.reconcile.look import MANY, look, look_for_users
from schema.clerk.client import NotAtClerkError
from schema.kafka.changes import CANARY_PREFIX
from schema.kafka.clerk import time_from_ms
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    import asyncpg

    from deploy.clerk.sides import Sides
    from deploy.reconcile.look import Suspect

    Connection = asyncpg.Connection[asyncpg.Record]

AT_ONCE: Final = 20
"""So many things are looked up at a time; Clerk's limit is the client's business."""

_LOWEST: Final = uuid.UUID(int=0)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Ceiling:
    """How much may be deleted at once."""

    per_cent: float
    force: bool

    def allows(self, living: int) -> int:
        """Return of how many: one is never too many, all are always, unless it is forced."""
        if self.force:
            return living
        return max(0, min(living - 1, max(1, int(living * self.per_cent / 100))))


class Seen(NamedTuple):
    """A row of ours, and what a look has shown of it."""

    kind: str
    id: uuid.UUID
    clerk_id: str
    version: int
    user_id: str | None
    organization_id: str | None
    clock_ms: int


async def count_living(connection: Connection) -> dict[str, int]:
    """Return how many rows of each resource there are that could be deleted."""
    row = await connection.fetchrow(_SQL["count_living"], CANARY_PREFIX)
    return dict(row or {})


async def confirm_absent(
    sides: Sides, resource: str, *, before_ms: int, living: int, ceiling: Ceiling
) -> Refusal | None:
    """Suspect the rows that Clerk has neither named nor, asked directly, knows.

    `before_ms` is Clerk's clock when the walk began: what is younger need not be named. Looks no
    further once more are gone than the ceiling allows, and returns that refusal.
    """
    arguments = [time_from_ms(before_ms), *([CANARY_PREFIX] if resource == "users" else [])]
    await sides.connection.execute(_SQL[f"list_{resource}"], *arguments)
    allowed, confirmed = ceiling.allows(living), 0
    async for candidates in _take(sides.connection):
        absent = await find_absent(sides, resource, candidates)
        await suspect(sides.connection, resource, absent)
        confirmed += sum(each.kind != "restored" for each in absent)
        # Forced, not even what webhooks bring meanwhile is too much.
        if confirmed > allowed and not ceiling.force:
            candidates_in_all = await sides.connection.fetchval(_SQL["count_candidates"])
            return Refusal(
                resource=resource,
                candidates=candidates_in_all,
                confirmed=confirmed,
                allowed=allowed,
            )
    return None


async def _take(connection: Connection) -> AsyncIterator[Sequence[Suspect]]:
    after = _LOWEST
    while rows := await connection.fetch(_SQL["take_candidates"], after, AT_ONCE):
        after = rows[-1]["id"]
        yield rows


async def find_absent(sides: Sides, resource: str, rows: Iterable[Suspect]) -> list[Seen]:
    """Return those of these rows that Clerk does not know, each looked up."""
    looks = [_find_absent(sides, resource, row) for row in rows]
    return [seen for seen in await asyncio.gather(*looks) if seen]


async def _find_absent(sides: Sides, resource: str, row: Suspect) -> Seen | None:
    try:
        await look(sides.clerk, resource, row)
    except NotAtClerkError as error:
        absent = "gone" if resource == "memberships" else "deleted_upstream"
        return Seen(
            kind="restored" if row["restored"] else absent,
            id=row["id"],
            clerk_id=row["clerk_id"],
            version=row["version"],
            user_id=row["user_id"],
            organization_id=row["organization_id"],
            clock_ms=error.clock_ms,
        )
    return None


async def suspect(connection: Connection, resource: str, seen: Sequence[Seen]) -> None:
    """Put down what a look has shown."""
    if seen:
        columns = [list(column) for column in zip(*seen, strict=True)]
        await connection.execute(_SQL["suspect"], resource, *columns)


async def confirm_deleted_here(sides: Sides) -> None:
    """Dismiss what is deleted here and by now at Clerk too: the deletion overtook the page."""
    after: tuple[str, uuid.UUID] = ("", _LOWEST)
    while rows := await sides.connection.fetch(_SQL["list_deleted_here"], *after, MANY):
        after = rows[-1]["resource"], rows[-1]["id"]
        users = [row["clerk_id"] for row in rows if row["resource"] == "users"]
        living = (await look_for_users(sides.clerk, users))[0] if users else {}
        for row in rows:
            if row["resource"] == "users":
                there = row["clerk_id"] in living
            else:
                there = await _is_there(sides, row)
            if not there:
                await sides.connection.execute(_SQL["dismiss"], row["resource"], [row["id"]])


async def _is_there(sides: Sides, row: Suspect) -> bool:
    try:
        await look(sides.clerk, row["resource"], row)
    except NotAtClerkError:
        return False
    return True
