"""Forget the index rows of dead letters that Kafka does not keep any more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog

from deploy.database import repeat
from schema.kafka.topics import UNREADABLE
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

KEPT: Final = timedelta(days=UNREADABLE.retention_days or 0)
"""How long dead-letter topics keep what is in them: all of them as long."""

BATCH_SIZE: Final = 5000
"""How many rows are deleted in one statement, which is a transaction of its own."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Letters:
    """What there is to do, or what was done."""

    forgotten: int
    """Are older than their topics keep them."""


async def plan_letters(connection: Connection, *, now: datetime) -> Letters:
    """Find out how many are too old."""
    return Letters(forgotten=await connection.fetchval(_SQL["count_old_letters"], now - KEPT))


async def forget_letters(connection: Connection, *, now: datetime) -> Letters:
    """Forget them, whatever their state; the audit of operations stays."""
    total = await repeat(connection, _SQL["forget_old_letters"], now - KEPT, BATCH_SIZE)
    log.info("letters_forgotten", letters=total)
    return Letters(forgotten=total)
