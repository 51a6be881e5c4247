"""Note how far a backfill has come, so that it can go on after any end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from deploy.errors import OperatorError
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from deploy.backfill.resources import Name

    Connection = asyncpg.Connection[asyncpg.Record]

KEPT: Final = timedelta(days=1)
"""For how long a backfill that broke off is gone on with; what it saw is older then."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The walk through one resource."""

    resource: Name
    cursor: str | None
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
        """When it began, as its snapshots say."""
        return (self.started_at - _EPOCH) // timedelta(milliseconds=1)

    @property
    def broken(self) -> bool:
        """Whether it broke off, not too long ago."""
        return self.finished_at is None and self.fresh


async def require_alone(connection: Connection) -> None:
    """Keep other backfills out while the connection lasts. Raises OperatorError: who runs."""
    if await connection.fetchval(_SQL["keep_others_out"]):
        return
    row = await connection.fetchrow(_SQL["who_runs"])
    who = f": {row['name']}, since {row['since']:%Y-%m-%d %H:%M:%S} UTC" if row else ""
    raise OperatorError(f"Another backfill of this database is running{who}.")


async def read_sweeps(connection: Connection) -> list[Sweep]:
    """Return what is known of the latest backfills."""
    return [Sweep(**row) for row in await connection.fetch(_SQL["read_sweeps"], KEPT)]


async def begin_sweeps(
    connection: Connection, names: Collection[Name], *, restart: bool
) -> list[Sweep]:
    """Return the walks to make, and those already made by a backfill that broke off."""
    known = [] if restart else await read_sweeps(connection)
    kept = goes_on([each for each in known if each.resource in names])
    new = [name for name in names if name not in {each.resource for each in kept}]
    rows = await connection.fetch(_SQL["begin_sweeps"], new)
    sweeps = {each.resource: each for each in [*kept, *(Sweep(**row) for row in rows)]}
    return [sweeps[name] for name in names]


def goes_on(sweeps: Sequence[Sweep]) -> list[Sweep]:
    """Return those of a backfill that broke off, finished or not; the others begin anew."""
    beginnings = {each.started_at for each in sweeps if each.broken}
    return [each for each in sweeps if each.started_at in beginnings]


async def note_page(connection: Connection, sweep: Sweep, *, seen: int, published: int) -> None:
    """Note that everything up to the sweep's cursor is on Kafka."""
    await connection.execute(_SQL["note_page"], sweep.resource, sweep.cursor, seen, published)


async def finish_sweep(connection: Connection, name: Name) -> Sweep:
    """Note that all of a resource is on Kafka, and return what was noted."""
    [row] = await connection.fetch(_SQL["finish_sweep"], name)
    return Sweep(**row)
