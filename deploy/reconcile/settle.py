"""Let what is on its way arrive before anything is called drift."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from deploy.clerk.wait import read_ends, wait_applied
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import asyncpg

    from deploy.clerk.sides import Sides

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to wait, in seconds."""

    settle_s: float = 30.0
    """For Clerk to tell of what it has just changed."""
    workers_s: float = 120.0
    """For workers to apply what is on Kafka."""


async def settle(sides: Sides, patience: Patience) -> int:
    """Forget the suspects that were only on their way; return how far the workers are behind.

    0 where they have applied all that was on Kafka after Clerk was looked at.
    """
    connection = sides.connection
    if not await connection.fetchval(_SQL["count_suspects"]):
        return 0
    await connection.execute(_SQL["study"])
    if await connection.fetchval(_SQL["may_be_coming"], int(patience.settle_s * 1000)):
        await asyncio.sleep(patience.settle_s)
    behind = await wait_applied(sides, await read_ends(sides), within_s=patience.workers_s)
    await look_again(connection)
    await connection.execute(_SQL["forget_settled"])
    return behind


async def look_again(connection: Connection) -> None:
    """Read the rows of all suspects again."""
    async with connection.transaction():
        await connection.execute(_SQL["look_again"])
        await connection.execute(_SQL["dismiss_memberships"])


async def note_mended(connection: Connection) -> None:
    """Note which suspects differ no more."""
    await look_again(connection)
    await connection.execute(_SQL["note_mended"])
