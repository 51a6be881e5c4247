"""Record in the ledger what became of each event, in the transaction of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema.kafka.clerk import MAX_MS, time_from_ms
from schema.kafka.topics import RETRY_DELAYS
from schema.postgres.statements import read_statements
from workers.collapse import columns

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import datetime

    import asyncpg

    from workers.decode import Event

_SQL: Final = read_statements(__file__)
_ENDS: Final = {"user.deleted", "clerkwork.absence.user"}
"""Of erased users only these name them."""


class EventRow(NamedTuple):
    """A row of `events`, in the order in which record.sql takes the columns."""

    event_id: str
    occurred_at: datetime
    type: str
    clerk_user_id: str | None
    received_at: datetime
    outcome: str
    reason: str | None
    topic: str
    partition: int
    offset: int


class Applied(NamedTuple):
    """What became of an event."""

    event: Event
    outcome: str
    """applied | stale | ignored | retrying | dead | refused."""
    reason: str | None = None
    """Why it is retrying, dead or refused."""
    error_class: str | None = None
    """poison.decode | poison.data | bug, where it failed."""


def failed(event: Event, *, reason: str, error_class: str) -> Applied:
    """Return what becomes of an event that failed: a bug is tried again, for a while."""
    again = error_class == "bug" and event.attempts < len(RETRY_DELAYS)
    return Applied(event, "retrying" if again else "dead", reason, error_class)


async def record(
    connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record],
    applied: list[Applied],
    *,
    erased: Container[str | None],
) -> list[Applied]:
    """Write the ledger, and return what was written. `erased` are Clerk's ids of tombstones."""
    rows: dict[tuple[Any, ...], EventRow] = {}
    for each in applied:
        row = _event_row(each, erased)
        # One event delivered twice in a batch: the delivery that changed something speaks.
        if row.outcome == "applied" or row[:2] not in rows:
            rows[row[:2]] = row
    await connection.execute(_SQL["record_events"], *columns(rows.values()))
    mended = [
        (each.event.event_id, each.event.occurred_at)
        for each in applied
        if each.event.replayed and not each.error_class
    ]
    if mended:
        await connection.execute(_SQL["forget_failures"], *columns(mended))
    return applied


def _event_row(applied: Applied, erased: Container[str | None]) -> EventRow:
    event, record = applied.event, applied.event.record
    nameless = event.clerk_user_id in erased and event.type not in _ENDS
    user = None if nameless else event.clerk_user_id
    # Any producer can write any time; what no calendar holds must not stop the others.
    received_at = time_from_ms(min(max(record.timestamp, 0), MAX_MS))
    return EventRow(
        *(event.event_id, event.occurred_at, event.type, user, received_at),
        *(applied.outcome, applied.reason, record.topic, record.partition, record.offset),
    )
