"""Apply a batch of events in one transaction: rows and ledger together, or nothing.

Three statements whatever the batch holds. Every row is a function of the set of events seen, so
that applying a batch again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from schema.kafka.clerk import time_from_ms
from schema.postgres.statements import read_statements
from workers.collapse import columns, last_seen_by_user, newest_by_user
from workers.project import UserRow
from workers.retry import BAD_VALUE, not_now_unless_bad

if TYPE_CHECKING:
    import uuid
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg

    from workers.decode import Event

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

_SQL: Final = read_statements(__file__)
_ACQUIRE_TIMEOUT_S: Final = 5.0


class EventRow(NamedTuple):
    """A row of `events`, in the order in which apply.sql takes the columns."""

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
    """applied | stale | ignored | dead."""
    reason: str | None = None
    """Why it is dead."""


async def apply(pool: asyncpg.Pool[asyncpg.Record], events: Sequence[Event]) -> list[Applied]:
    """Apply `events`, and return what became of each, once it is committed.

    An event whose values PostgreSQL refuses is dead; the others are applied all the same.
    Raises NotNowError when waiting can help; then nothing of the batch was applied.
    """
    with not_now_unless_bad():
        async with pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as connection:
            try:
                async with connection.transaction():
                    return await _apply_all(connection, events)
            except BAD_VALUE:
                async with connection.transaction():
                    return await _bisect(connection, events)


async def _bisect(connection: Connection, events: Sequence[Event]) -> list[Applied]:
    """Apply what can be applied: k bad events among n cost O(k log n) savepoints."""
    try:
        async with connection.transaction():
            return await _apply_all(connection, events)
    except BAD_VALUE as error:
        if len(events) == 1:
            return await _record(connection, [Applied(events[0], "dead", _explain(error))])
        middle = len(events) // 2
        return [
            *await _bisect(connection, events[:middle]),
            *await _bisect(connection, events[middle:]),
        ]


def _explain(error: Exception) -> str:
    """Say what PostgreSQL refused, without its message: that one quotes the value."""
    state = getattr(error, "sqlstate", None) or "22000"
    place = getattr(error, "constraint_name", None) or getattr(error, "column_name", None)
    return f"{type(error).__name__} (SQLSTATE {state})" + (f" at {place}" if place else "")


async def _apply_all(connection: Connection, events: Sequence[Event]) -> list[Applied]:
    rows = [event.user for event in events if event.user]
    newest = newest_by_user(rows)
    changed = await _upsert(connection, newest)
    last_seen = last_seen_by_user(rows)
    if last_seen:
        await connection.execute(_SQL["raise_last_seen"], *columns(last_seen, width=3))
    return await _record(
        connection, [_outcome(event, newest=newest, changed=changed) for event in events]
    )


async def _upsert(connection: Connection, newest: dict[uuid.UUID, UserRow]) -> set[uuid.UUID]:
    if not newest:
        return set()
    arguments = columns(newest.values(), width=len(UserRow._fields))
    return {row["id"] for row in await connection.fetch(_SQL["upsert_users"], *arguments)}


def _outcome(event: Event, *, newest: dict[uuid.UUID, UserRow], changed: set[uuid.UUID]) -> Applied:
    if event.reason:
        return Applied(event, "dead", event.reason)
    if event.user is None:
        return Applied(event, "ignored")
    wins = newest[event.user.id] is event.user and event.user.id in changed
    return Applied(event, "applied" if wins else "stale")


async def _record(connection: Connection, applied: list[Applied]) -> list[Applied]:
    rows: dict[tuple[Any, ...], EventRow] = {}
    for each in applied:
        row = _event_row(each)
        # One event delivered twice in a batch: the delivery that changed something speaks.
        if row.outcome == "applied" or row[:2] not in rows:
            rows[row[:2]] = row
    await connection.execute(
        _SQL["record_events"], *columns(rows.values(), width=len(EventRow._fields))
    )
    return applied


def _event_row(applied: Applied) -> EventRow:
    event, record = applied.event, applied.event.record
    return EventRow(
        event_id=event.event_id,
        occurred_at=event.occurred_at,
        type=event.type,
        clerk_user_id=event.clerk_user_id,
        received_at=time_from_ms(max(record.timestamp, 0)),
        outcome=applied.outcome,
        reason=applied.reason,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )
