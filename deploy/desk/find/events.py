"""Find events in the ledger: of a user, or by their ids. It has no index for anything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import (
    datetime,
    timedelta,
)
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
    Rows = Sequence[Any]

TOLD_WITHIN: Final = timedelta(seconds=3)
"""What is told of a user so soon after an event was applied is told of that event."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which events; what is None asks for nothing."""

    type: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before then."""
    canaries: bool = False
    """Whether those of canaries are wanted, too."""


class After(NamedTuple):
    """The event behind which a page begins."""

    occurred_at: datetime
    event_id: str


async def find_of_user(
    connection: Connection, user: str, asked: Asked, *, after: After | None, most: int
) -> Rows:
    """Return events of a user, the newest first by their own time, from behind `after`."""
    wanted = asked.type, asked.outcome, asked.since, asked.until
    return await connection.fetch(
        _SQL["list_of_user"], user, *wanted, most, *(after or (None, None))
    )


async def find_known(connection: Connection, ids: Collection[str]) -> Mapping[str, Any]:
    """Return what the ledger says of these events; those that it does not know are left out."""
    rows = await connection.fetch(_SQL["find_known"], list(ids))
    return {row["event_id"]: row for row in rows}


async def find_told(connection: Connection, user: str, *, applied_at: datetime) -> Rows:
    """Return what was told of a user when an event of theirs was applied."""
    begin, end = (round(at.timestamp() * 1e6) for at in (applied_at, applied_at + TOLD_WITHIN))
    return await connection.fetch(_SQL["find_told"], user, begin, end)
