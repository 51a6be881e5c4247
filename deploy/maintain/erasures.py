"""Erase the deleted users whose data was held back long enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from deploy.database import attempts
from schema.postgres.statements import read_statements
from workers.count import count_held_back
from workers.erase import erase_users

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

BATCH_SIZE: Final = 500
"""How many users are erased in one transaction; workers that write to them wait for its end."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Erasures:
    """What there is to do, or what was done."""

    erased: int
    """Users whose time has come."""
    held_back: int
    """Deleted users who can still be restored."""


async def plan_erasures(connection: Connection, *, now: datetime) -> Erasures:
    """Find out whose time has come."""
    due = int(await connection.fetchval(_SQL["count_due"], now))
    return Erasures(erased=due, held_back=await count_held_back(connection) - due)


async def erase_due(connection: Connection, *, now: datetime) -> Erasures:
    """Erase them, but for those whom somebody is writing to.

    Raises LockNotAvailableError or DeadlockDetectedError when others leave no gap; a batch is
    erased wholly or not at all.
    """
    total = 0
    while erased := await _erase_batch(connection, now=now):
        total += erased
    log.info("users_erased", users=total)
    return Erasures(erased=total, held_back=await count_held_back(connection))


async def _erase_batch(connection: Connection, *, now: datetime) -> int:
    # Whoever empties an organization holds memberships of users that are not locked.
    async for attempt in attempts():
        with attempt:
            async with connection.transaction():
                released = await connection.fetch(_SQL["release_users"], now, BATCH_SIZE)
                await erase_users(connection, [row["id"] for row in released])
                return len(released)
    raise AssertionError  # the attempts end with a value or an exception
