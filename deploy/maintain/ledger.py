"""Keep the ledger: partitions ahead, strays into their months, what is too old away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from deploy.partitions import (
    Month,
    Partition,
    Rest,
    add_month,
    count_expired,
    delete_expired,
    describe_rest,
    drop_partition,
    find_missing,
    index_default,
    list_partitions,
    month_of,
)

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

FIRST_MONTH: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Clerk sent no event before: an earlier time is absurd and stays in the default partition."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """For which months the ledger has partitions."""

    now: datetime
    ahead: int
    """How many months to come."""
    retention: int | None
    """How many whole months before this one; None for all."""

    @property
    def keep_from(self) -> datetime | None:
        """The first moment that is kept, None when all is."""
        return month_of(self.now, plus=-self.retention) if self.retention else None


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What there is to do, or what was done."""

    months: tuple[Month, ...]
    """Get a partition, and their events out of the default one."""
    expired: tuple[Partition, ...]
    """Are dropped: all in them is from before what is kept."""
    expired_events: int
    """As old, but in the default partition."""
    rest: Rest
    """Stays in the default partition."""


async def plan_ledger(connection: Connection, terms: Terms) -> Ledger:
    """Find out what there is to do."""
    keep_from = terms.keep_from
    since = max(FIRST_MONTH, keep_from or FIRST_MONTH)
    months = await find_missing(connection, now=terms.now, ahead=terms.ahead, since=since)
    expired = [
        each
        for each in await list_partitions(connection)
        if keep_from and each.ends and each.ends <= keep_from
    ]
    return Ledger(
        months=tuple(months),
        expired=tuple(expired),
        expired_events=await count_expired(connection, before=keep_from) if keep_from else 0,
        rest=await describe_rest(connection, without=months, before=keep_from),
    )


async def keep_ledger(connection: Connection, terms: Terms) -> Ledger:
    """Do it, and return what was done.

    Raises OperatorError and what the driver raises; what was done until then stays.
    """
    plan = await plan_ledger(connection, terms)
    await index_default(connection)
    months = [await _add(connection, month) for month in plan.months]
    dropped = [each for each in plan.expired if await _drop(connection, each)]
    keep_from = terms.keep_from
    deleted = await delete_expired(connection, before=keep_from) if keep_from else 0
    rest = await describe_rest(connection, without=(), before=None)
    log.info("ledger_maintained", deleted=deleted, left_in_default=rest.events)
    return Ledger(months=tuple(months), expired=tuple(dropped), expired_events=deleted, rest=rest)


async def _add(connection: Connection, month: Month) -> Month:
    moved = await add_month(connection, month)
    log.info("ledger_partition_created", name=month.name, moved=moved)
    return Month(begins=month.begins, events=moved)


async def _drop(connection: Connection, partition: Partition) -> bool:
    dropped = await drop_partition(connection, partition)
    if dropped:
        log.info("ledger_partition_dropped", name=partition.name)
    return dropped
