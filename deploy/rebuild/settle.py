"""Settle it: with writers kept out, bring the shadow up to date, compare, and maybe swap."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg

from deploy.database import attempts
from deploy.errors import OperatorError
from deploy.rebuild.compare import Comparison, compare
from deploy.rebuild.finish import finish
from deploy.rebuild.reach import advance_applied
from deploy.rebuild.swap import Swapped, swap
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from datetime import timedelta

    from deploy.rebuild.fill import Fill

    Connection = asyncpg.Connection[asyncpg.Record]

FEW: Final = 2000
"""So little is left to catch up with that writers can be kept waiting for it."""

MOST_ROUNDS: Final = 10
"""Workers who write as fast as this reads would never leave less."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What was found, and what was done."""

    comparisons: Sequence[Comparison]
    swapped: Swapped | None
    """None where nothing was to be swapped."""
    writers_waited_s: float
    """For how long workers could not write."""

    @property
    def rows(self) -> int:
        """How many rows differ."""
        return sum(each.rows for each in self.comparisons)


async def prepare(connection: Connection, fill: Fill, *, erase_after: timedelta) -> None:
    """Catch up while workers go on, so that what is left to settle is little."""
    for _ in range(MOST_ROUNDS):
        ends = await fill.reach.read_ends(connection)
        if fill.tape.left(ends) <= FEW:
            break
        await fill.fill_to(ends)
    async with connection.transaction():
        await finish(connection, erase_after=erase_after)
    await connection.execute(_SQL["analyze"])


async def settle(
    connection: Connection, fill: Fill, *, erase_after: timedelta, swapping: bool, keep: bool
) -> Settled:
    """Compare both at one moment; with `swapping`, put the rebuilt tables in place if they differ.

    All or nothing, in one transaction; without a swap it leaves the live tables as they were.
    Raises OperatorError, also when others leave no gap to lock them.
    """
    act = partial(_settle, connection, fill, erase_after=erase_after, swapping=swapping, keep=keep)
    try:
        async for attempt in attempts():
            with attempt:
                return await _commit_swap(connection, act)
    except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError) as error:
        raise OperatorError(
            "Others hold the tables all the time, so nothing was changed. Long transactions are in"
            " pg_stat_activity: let them end, or run this again at a quieter hour."
        ) from error
    raise AssertionError  # the attempts end with a value or an exception


async def _commit_swap(
    connection: Connection, act: Callable[[], Coroutine[None, None, Settled]]
) -> Settled:
    """Run it in a transaction, which is undone where nothing was swapped."""
    transaction = connection.transaction()
    await transaction.start()
    swapped = False
    try:
        settled = await act()
        swapped = settled.swapped is not None
    finally:
        await (transaction.commit() if swapped else transaction.rollback())
    return settled


async def _settle(
    connection: Connection, fill: Fill, *, erase_after: timedelta, swapping: bool, keep: bool
) -> Settled:
    await connection.execute(_SQL["be_patient"])
    await connection.execute(_SQL["keep_writers_out"])
    began_s = time.monotonic()
    ends = await fill.reach.read_ends(connection)
    await fill.fill_to(ends)
    await finish(connection, erase_after=erase_after)
    comparisons = await compare(connection)
    swapped = None
    if swapping and any(each.rows for each in comparisons):
        await advance_applied(connection, ends)
        swapped = await swap(connection, keep=keep)
    return Settled(
        comparisons=comparisons,
        swapped=swapped,
        writers_waited_s=time.monotonic() - began_s,
    )
