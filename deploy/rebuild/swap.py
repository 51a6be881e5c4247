"""Put the rebuilt tables in the place of the live ones, and tell whose state changes by that."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random

from deploy.rebuild.shadow import TABLES, require_no_obstacle
from schema.postgres.statements import read_statements
from workers.erase import erase_users
from workers.tell import Changes, see_posts, tell

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = asyncpg.Connection[asyncpg.Record]

_ATTEMPTS: Final = 100
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Swapped:
    """What the swap did."""

    told: int
    """Users of whom others are told."""
    readers_waited_s: float
    """For how long nobody could read the tables, but for the commit."""


async def swap(connection: Connection, *, keep: bool) -> Swapped:
    """Do it in a transaction of the caller's that keeps writers out of the live tables.

    With `keep`, the tables that are replaced are put aside, in place of those that were the last
    time; else they are dropped. Raises OperatorError when something hangs on them, and
    LockNotAvailableError when readers leave no gap.
    """
    await require_no_obstacle(connection)
    changed = await connection.fetch(_SQL["find_changed"])
    references = await connection.fetch(_SQL["list_references"], list(TABLES))
    rights = await connection.fetch(_SQL["list_rights"], list(TABLES))
    for each in rights:
        await connection.execute(each["statement"])
    if keep:
        await connection.execute(_SQL["make_room"])
    await connection.execute(_SQL["hold_shadow"])
    await _keep_readers_out(connection)
    began_s = time.monotonic()
    for each in references:
        await connection.execute(each["drop"])
    for each in await connection.fetch(_SQL["spell_swap"], list(TABLES), keep):
        await connection.execute(each["statement"])
    for each in references:
        await connection.execute(each["restore"])
    told = await _tell(connection, changed)
    return Swapped(told=told, readers_waited_s=time.monotonic() - began_s)


async def _keep_readers_out(connection: Connection) -> None:
    """Lock the tables one after the other, without keeping those who wait for longer than a blink.

    A reader who holds one of them and wants the next would wait for us, and we for him: whoever
    notices that first, after a second, would be the one to fail.
    """
    attempts = AsyncRetrying(
        retry=retry_if_exception_type(
            (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
        ),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_random(0.01, 0.1),
        reraise=True,
    )
    async for attempt in attempts:
        with attempt:
            async with connection.transaction():
                await connection.execute(_SQL["wait_briefly"])
                await connection.execute(_SQL["keep_readers_out"])
                await connection.execute(_SQL["wait_as_before"])


async def _tell(connection: Connection, changed: Sequence[asyncpg.Record]) -> int:
    """Erase what is left of those who are tombstones now, and tell of all; at the very end."""
    posts = await see_posts(connection, [row["id"] for row in changed if row["hidden"]])
    again = [row["id"] for row in changed if row["shown"]]
    posts |= await see_posts(connection, again, shown=False)
    erased = [row["id"] for row in changed if row["erased"]]
    if erased:
        await erase_users(connection, erased)
    told = [row for row in changed if row["told"]]
    await tell(
        connection,
        Changes(
            created=frozenset(row["id"] for row in told if row["created"]),
            others=frozenset(row["id"] for row in told if not (row["created"] or row["gone"])),
            gone={row["id"]: row["clerk_id"] for row in told if row["gone"]},
            posts=posts,
        ),
    )
    return len(told)
