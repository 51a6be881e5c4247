"""Note how far reconciling has come, so that the next run can go on from there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


async def begin_sweeps(connection: Connection, resources: Sequence[str]) -> None:
    """Note that a look at these resources begins."""
    await connection.execute(_SQL["begin_sweeps"], list(resources))


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """How far a look at one resource has come."""

    resource: str
    seen: int
    published: int
    cursor: str | None = None
    changed_until: int | None = None
    """A time of Clerk's, in ms; None leaves what was noted."""


async def finish_sweep(connection: Connection, sweep: Sweep) -> None:
    """Note that it is through."""
    await connection.execute(
        _SQL["finish_sweep"],
        sweep.resource,
        sweep.seen,
        sweep.published,
        sweep.cursor,
        sweep.changed_until,
    )


async def read_watermark(connection: Connection) -> int | None:
    """Return up to which updated_at all changes of users were looked at, None before the first."""
    row = await connection.fetchrow(_SQL["read_sweep"], "users")
    return row["changed_until"] if row else None


async def read_cursor(connection: Connection, resource: str) -> str | None:
    """Return where the last look has stopped, None at the beginning."""
    row = await connection.fetchrow(_SQL["read_sweep"], resource)
    return row["cursor"] if row else None


async def count_users(connection: Connection) -> int:
    """Return how many users there are here whom Clerk should have too."""
    return int(await connection.fetchval(_SQL["count_users"]))
