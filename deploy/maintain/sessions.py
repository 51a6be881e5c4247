"""Mark the sessions that have run out: Clerk sends no event when one does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from deploy.database import repeat
from schema.postgres.statements import read_statements
from workers.count import count_sessions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

BATCH_SIZE: Final = 1000
"""How many sessions are marked in one statement, which is a transaction of its own."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """What there is to do, or what was done."""

    abandoned: int
    """Are past abandon_at, whether or not they had expired."""
    expired: int
    """Are past expire_at alone."""
    by_status: Mapping[str, int]
    """How many there are, of the statuses that occur."""


async def plan_sessions(connection: Connection, *, now: datetime) -> Sessions:
    """Find out which have run out."""
    return Sessions(
        abandoned=await connection.fetchval(_SQL["count_abandoned"], now),
        expired=await connection.fetchval(_SQL["count_expired"], now),
        by_status=await count_sessions(connection),
    )


async def mark_sessions(connection: Connection, *, now: datetime) -> Sessions:
    """Mark them, but for those that somebody is writing to; waits for no row."""
    abandoned = await repeat(connection, _SQL["abandon_sessions"], now, BATCH_SIZE)
    expired = await repeat(connection, _SQL["expire_sessions"], now, BATCH_SIZE)
    log.info("sessions_marked", abandoned=abandoned, expired=expired)
    return Sessions(
        abandoned=abandoned, expired=expired, by_status=await count_sessions(connection)
    )
