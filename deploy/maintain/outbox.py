"""Forget changes that are published and that nobody can have missed for so long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

BATCH_SIZE: Final = 5000
"""How many rows are deleted in one statement, which is a transaction of its own."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Outbox:
    """What there is to do, or what was done."""

    forgotten: int
    """Published, and older than they are kept."""
    kept: int
    waiting: int
    """Of those kept: are not published yet, however old."""


async def plan_outbox(connection: Connection, *, keep_from: datetime) -> Outbox:
    """Find out how many changes are from before `keep_from`."""
    [row] = await connection.fetch(_SQL["count_changes"], _position(keep_from))
    return Outbox(forgotten=row["old"], kept=row["kept"], waiting=row["waiting"])


async def forget_changes(connection: Connection, *, keep_from: datetime) -> Outbox:
    """Forget them, but for those that the relay has not published."""
    total, place = 0, _position(keep_from)
    while number := await connection.fetchval(_SQL["forget_changes"], place, BATCH_SIZE):
        total += number
    rest = await plan_outbox(connection, keep_from=keep_from)
    log.info("changes_forgotten", changes=total, waiting=rest.waiting)
    return Outbox(forgotten=total, kept=rest.kept, waiting=rest.waiting)


def _position(moment: datetime) -> int:
    """Return the position of a change that is told at that moment: microseconds since 1970."""
    return int(moment.timestamp() * 1_000_000)
