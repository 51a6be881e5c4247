"""Sweeps: how far a look through what Clerk has is, so that it can go on after any end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from deploy.clerk.sides import Task

    Connection = asyncpg.Connection[asyncpg.Record]

KEPT: Final = timedelta(days=1)
"""For how long one that broke off is gone on with; what it saw is older then."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The walk through one resource."""

    resource: str
    cursor: str | None = None
    """Where to go on."""
    changed_until: int | None = None
    """The updated_at, in ms, up to which all changes at Clerk were looked at."""
    seen: int
    """Things that Clerk had."""
    published: int
    """Things that are on Kafka."""
    started_at: datetime
    """To the millisecond."""
    finished_at: datetime | None
    fresh: bool
    """Whether it is young enough to go on with."""

    @property
    def started_ms(self) -> int:
        """When it began, as the snapshots of a backfill say."""
        return (self.started_at - _EPOCH) // timedelta(milliseconds=1)

    @property
    def broken(self) -> bool:
        """Whether it broke off, not too long ago."""
        return self.finished_at is None and self.fresh


async def read_sweeps(connection: Connection, task: Task) -> list[Sweep]:
    """Return what is known of a task's latest sweeps."""
    return [Sweep(**row) for row in await connection.fetch(_SQL["read_sweeps"], task, KEPT)]


async def begin_sweeps(
    connection: Connection, task: Task, resources: Collection[str], *, anew: bool
) -> list[Sweep]:
    """Note that sweeps begin, and return them: from their cursors on, unless `anew`."""
    rows = await connection.fetch(_SQL["begin_sweeps"], task, list(resources), anew)
    return [Sweep(**row) for row in rows]


def goes_on(sweeps: Sequence[Sweep], resources: Collection[str]) -> list[Sweep]:
    """Return those through `resources` that broke off, and what was finished with them before."""
    sweeps = [each for each in sweeps if each.resource in resources]
    beginnings = {each.started_at for each in sweeps if each.broken}
    return [each for each in sweeps if each.started_at in beginnings]


async def note_sweep(
    connection: Connection, task: Task, sweep: Sweep, *, finished: bool = False
) -> None:
    """Note how far it has come; `changed_until` never goes back, and None leaves it."""
    await connection.execute(
        _SQL["note_sweep"],
        task,
        sweep.resource,
        sweep.cursor,
        sweep.changed_until,
        sweep.seen,
        sweep.published,
        finished,
    )
