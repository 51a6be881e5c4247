"""The ledger's partitions: one for each month (UTC), and the default one for times beyond them.

Workers go on while these functions run: what they could collide with is done under a lock that is
given up after two seconds of waiting, so that nobody queues behind it for long, and tried again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import structlog

from deploy.database import attempts, count_changed, repeat
from deploy.errors import OperatorError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

MONTHS_AHEAD: Final = 3
"""For how many months to come there is a partition, unless somebody wants another number."""

BATCH_SIZE: Final = 5000
"""How many rows are deleted in one statement."""

log = structlog.get_logger(__name__)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Partition:
    """A partition of the ledger that is there."""

    name: str
    """As SQL spells it."""
    begins: datetime | None
    """Its first moment, None without one."""
    ends: datetime | None
    """The first moment after it, None without one."""


@dataclass(frozen=True, kw_only=True)
class Month:
    """A month that has no partition."""

    begins: datetime
    events: int
    """How many of its events lie in the default partition."""

    @property
    def name(self) -> str:
        """What its partition is called."""
        return f"events_{self.begins:%Y_%m}"

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return month_of(self.begins, plus=1)


@dataclass(frozen=True, kw_only=True)
class Rest:
    """What stays in the default partition."""

    events: int
    earliest: str | None
    """A date."""
    latest: str | None
    """A date."""


def month_of(moment: datetime, *, plus: int = 0) -> datetime:
    """Return the beginning of the month, UTC, that is `plus` months after that of `moment`."""
    utc = moment.astimezone(UTC)
    year, month = divmod(utc.year * 12 + utc.month - 1 + plus, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


async def wait_for_others(connection: Connection) -> None:
    """Wait until no other migration or maintenance runs; keep others waiting until the end."""
    await connection.execute("SET lock_timeout = 0")
    await connection.execute(_SQL["wait_for_others"])
    await connection.execute("RESET lock_timeout")


async def keep_others_out(connection: Connection) -> bool:
    """Do the same without waiting; return False when another one is running."""
    return bool(await connection.fetchval(_SQL["keep_others_out"]))


async def list_partitions(connection: Connection) -> list[Partition]:
    """Return the partitions but the default one, oldest first."""
    return [Partition(**row) for row in await connection.fetch(_SQL["list_partitions"])]


async def find_missing(
    connection: Connection, *, now: datetime, ahead: int, since: datetime
) -> list[Month]:
    """Return the months that should have a partition and have none.

    Those are last month, this one and the next `ahead`, and any month since `since` whose events
    lie in the default partition. A month whose name another table has is left as it is.
    """
    end = month_of(now, plus=ahead + 1)
    rows = await connection.fetch(_SQL["count_by_month"], since, end)
    events = {month_of(now, plus=distance): 0 for distance in range(-1, ahead + 1)}
    events |= {row["begins"]: row["events"] for row in rows}
    present = await list_partitions(connection)
    months = [Month(begins=begins, events=events[begins]) for begins in sorted(events)]
    missing = [month for month in months if not any(_overlap(month, each) for each in present)]
    rows = await connection.fetch(_SQL["find_taken"], [month.name for month in missing])
    taken = {row["name"] for row in rows}
    for name in sorted(taken):
        log.warning("ledger_partition_name_taken", name=name)
    return [month for month in missing if month.name not in taken]


def _overlap(month: Month, partition: Partition) -> bool:
    begins_before = partition.begins is None or partition.begins < month.ends
    return begins_before and (partition.ends is None or partition.ends > month.begins)


async def index_default(connection: Connection) -> None:
    """Let the default partition be searched by time."""
    if not await connection.fetchval(_SQL["default_has_index"]):
        async for attempt in attempts():
            with attempt:
                await connection.execute(_SQL["index_default"])


async def add_month(connection: Connection, month: Month) -> int:
    """Give a month its partition and return how many events moved there, all or nothing.

    They are copied while workers write; under the lock only what was written since is copied, so
    that readers see each event all the time. Raises OperatorError when one was deleted meanwhile,
    LockNotAvailableError when writers leave no gap.
    """
    async with connection.transaction():
        since = str(await connection.fetchval(_SQL["oldest_running"]))
        arguments = (month.name, month.begins.isoformat(), month.ends.isoformat(), since)
        await _run(connection, "create_month", *arguments)
        copied = await _run(connection, "copy_month", *arguments)
        async for attempt in attempts():
            with attempt:
                async with connection.transaction():
                    return await _attach(connection, *arguments, copied=copied)
    raise AssertionError  # the attempts end with a value or an exception


async def _attach(connection: Connection, *arguments: str, copied: int) -> int:
    await connection.execute(_SQL["hold_writers"])
    await connection.execute(_SQL["hurry"])
    copied -= await _run(connection, "forget_changed", *arguments)
    copied += await _run(connection, "copy_changed", *arguments)
    if copied != await _run(connection, "clear_month", *arguments):
        raise OperatorError(
            f"Events of {arguments[0]} were deleted while they were moved, so they were left where"
            " they are. Run this again."
        )
    await _run(connection, "attach_month", *arguments)
    await _run(connection, "loosen_month", *arguments)
    return copied


async def drop_partition(connection: Connection, partition: Partition) -> bool:
    """Drop a partition; return False when it is no longer what it was, which leaves it alone.

    Raises LockNotAvailableError when others leave no gap.
    """
    async for attempt in attempts():
        with attempt:
            async with connection.transaction():
                await connection.execute(_SQL["hold_everybody"])
                if partition not in await list_partitions(connection):
                    return False  # somebody detached it, to keep it
                await _run(connection, "drop_partition", partition.name)
                return True
    raise AssertionError


async def count_expired(connection: Connection, *, before: datetime) -> int:
    """Return how many events of the default partition are from before, and came before."""
    return int(await connection.fetchval(_SQL["count_expired"], before))


async def delete_expired(connection: Connection, *, before: datetime) -> int:
    """Delete those, a batch at a time, and return how many they were."""
    return await repeat(connection, _SQL["delete_expired"], before, BATCH_SIZE)


async def describe_rest(
    connection: Connection, *, without: Sequence[Month], before: datetime | None
) -> Rest:
    """Return what lies in the default partition, but for some months and what has expired."""
    begins = [month.begins for month in without]
    [row] = await connection.fetch(_SQL["describe_rest"], begins, before)
    return Rest(**row)


async def _run(connection: Connection, name: str, *arguments: str) -> int:
    """Run a statement that has a table's name in it, and return how many rows it changed."""
    statement = str(await connection.fetchval(_SQL["spell"], _SQL[name], arguments))
    return count_changed(await connection.execute(statement))
