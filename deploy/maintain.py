"""Upkeep of the ledger: partitions ahead, strays into their months, what is too old away.

Made for cron: repeated it does nothing, and of two at once the second leaves the work to the first.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog
from pydantic import Field

from deploy.errors import OperatorError
from deploy.partitions import (
    MONTHS_AHEAD,
    Month,
    Partition,
    Rest,
    add_month,
    connected,
    count_expired,
    delete_expired,
    describe_rest,
    drop_partition,
    find_missing,
    index_default,
    keep_others_out,
    list_partitions,
    month_of,
)
from schema.ops.logs import configure_logs
from schema.ops.settings import DatabaseSettings, read_settings

if TYPE_CHECKING:
    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]

log = structlog.get_logger(__name__)

FIRST_MONTH: Final = datetime(2020, 1, 1, tzinfo=UTC)
"""Clerk sent no event before: an earlier time is absurd and stays in the default partition."""


class MaintainSettings(DatabaseSettings):
    """What `clerkwork maintain` reads."""

    clerkwork_ledger_months_ahead: int = Field(
        MONTHS_AHEAD, ge=1, le=120, description="months to come that the ledger is prepared for"
    )
    clerkwork_ledger_retention_months: int | None = Field(
        None,
        ge=1,
        le=1200,
        description="whole months before this one that the ledger keeps; unset, it keeps all",
    )


@dataclass(frozen=True, kw_only=True)
class Upkeep:
    """What there is to do, or what was done."""

    months: tuple[Month, ...]
    """Get a partition, and their events out of the default one."""
    expired: tuple[Partition, ...]
    """Are dropped: all in them is from before what is kept."""
    expired_events: int
    """As old, but in the default partition."""
    rest: Rest
    """Stays in the default partition."""


async def maintain(
    settings: MaintainSettings, *, now: datetime | None = None, dry_run: bool = False
) -> Upkeep | None:
    """Do what there is to do, or only find it out; None when another one is at it.

    The time is the database's. Raises OperatorError and what the driver raises; what was
    done until then stays.
    """
    async with connected(settings.database_url.get_secret_value()) as connection:
        if not (dry_run or await keep_others_out(connection)):
            return None
        moment: datetime = now or await connection.fetchval("SELECT now()")
        retention = settings.clerkwork_ledger_retention_months
        keep_from = month_of(moment, plus=-retention) if retention else None
        ahead = settings.clerkwork_ledger_months_ahead
        upkeep = await _plan(connection, now=moment, ahead=ahead, keep_from=keep_from)
        if dry_run:
            return upkeep
        return await _act(connection, upkeep, keep_from=keep_from)


async def _plan(
    connection: Connection, *, now: datetime, ahead: int, keep_from: datetime | None
) -> Upkeep:
    since = max(FIRST_MONTH, keep_from or FIRST_MONTH)
    months = await find_missing(connection, now=now, ahead=ahead, since=since)
    expired = [
        each
        for each in await list_partitions(connection)
        if keep_from and each.ends and each.ends <= keep_from
    ]
    return Upkeep(
        months=tuple(months),
        expired=tuple(expired),
        expired_events=await count_expired(connection, before=keep_from) if keep_from else 0,
        rest=await describe_rest(connection, without=months, before=keep_from),
    )


async def _act(connection: Connection, plan: Upkeep, *, keep_from: datetime | None) -> Upkeep:
    await index_default(connection)
    months = [await _add(connection, month) for month in plan.months]
    dropped = [each for each in plan.expired if await _drop(connection, each)]
    deleted = await delete_expired(connection, before=keep_from) if keep_from else 0
    rest = await describe_rest(connection, without=(), before=None)
    log.info("ledger_maintained", deleted=deleted, left_in_default=rest.events)
    return Upkeep(months=tuple(months), expired=tuple(dropped), expired_events=deleted, rest=rest)


async def _add(connection: Connection, month: Month) -> Month:
    moved = await add_month(connection, month)
    log.info("ledger_partition_created", name=month.name, moved=moved)
    return Month(begins=month.begins, events=moved)


async def _drop(connection: Connection, partition: Partition) -> bool:
    dropped = await drop_partition(connection, partition)
    if dropped:
        log.info("ledger_partition_dropped", name=partition.name)
    return dropped


def run_maintain(console: Console, *, dry_run: bool) -> int:
    """Maintain the ledger of the environment's database, say what was done, return 0.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(MaintainSettings)
    configure_logs(settings)
    try:
        upkeep = asyncio.run(maintain(settings, dry_run=dry_run))
    except asyncpg.UndefinedTableError as error:
        raise OperatorError("There is no ledger in DATABASE_URL. Run clerkwork migrate.") from error
    except (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError) as error:
        raise OperatorError(
            "The ledger is too busy for a change of its partitions, so the rest was left for"
            f" another time ({error}). Run this again, at a quieter hour."
        ) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise OperatorError(f"PostgreSQL refuses: {error}.") from error
    except (OSError, TimeoutError) as error:
        raise OperatorError(
            f"PostgreSQL does not answer ({str(error) or type(error).__name__})."
            " Is it up, and DATABASE_URL right?"
        ) from error
    if upkeep is None:
        console.print("Another migration or maintenance is running: nothing to do.")
        return 0
    console.print(summarise(upkeep, dry_run=dry_run), markup=False, highlight=False)
    return 0


def summarise(upkeep: Upkeep, *, dry_run: bool) -> str:
    """Return what was done, or would be, in four lines."""
    will = "would be " if dry_run else ""
    moved = sum(month.events for month in upkeep.months)
    rest = upkeep.rest
    times = f", of {rest.earliest} to {rest.latest}" if rest.events else ""
    return (
        f"Partitions {will}created: {_list(upkeep.months)}\n"
        f"Events {will}moved there from the default partition: {moved}\n"
        f"Partitions {will}dropped: {_list(upkeep.expired)};"
        f" as old in the default partition, {will}deleted: {upkeep.expired_events}\n"
        f"Left in the default partition: {rest.events}{times}"
    )


def _list(partitions: tuple[Month, ...] | tuple[Partition, ...]) -> str:
    return ", ".join(each.name for each in partitions) or "none"
