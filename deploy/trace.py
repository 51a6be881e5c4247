"""Trace one event: what the ledger, the index of dead letters, the audit and its record know."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from deploy.database import connected, refusing_in_words
from deploy.letters.tell import one_line, write_line
from deploy.trace_id import fetch_trace_id
from schema.ops.settings import DatabaseSettings, read_settings
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg
    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]
    Rows = Sequence[Mapping[str, Any]]

_SQL: Final = read_statements(__file__)
_UNKNOWN: Final = (
    "The ledger does not know it: it was never received, or no worker has come to it yet"
    " (see how far behind the consumer group is)."
)


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All that is known of an event."""

    event_id: str
    ledger: Rows
    """What became of it; two rows where it could not be read at first."""
    letters: Rows
    """Its dead letters, the oldest first."""
    operations: Rows
    """The operations that took them last."""
    trace_id: str | None = None
    """Under which a collector of traces knows it, where one does."""


async def trace(connection: Connection, event_id: str) -> Trace:
    """Return all that PostgreSQL knows of an event, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        found: dict[str, Any] = {
            name: [dict(row) for row in await connection.fetch(_SQL[f"find_{name}"], event_id)]
            for name in ("ledger", "letters", "operations")
        }
    return Trace(event_id=event_id, **found)


def run_trace(event_id: str, *, as_json: bool, console: Console) -> int:
    """Trace an event in the environment's database; return 0, or 1 where nothing is known of it.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    url = read_settings(DatabaseSettings).database_url.get_secret_value()

    async def run() -> Trace:
        async with connected(url, name="clerkwork-trace") as connection:
            found = await trace(connection, event_id)
        trace_id = await fetch_trace_id(event_id, [*found.ledger, *found.letters])
        return replace(found, trace_id=trace_id)

    with refusing_in_words():
        found = asyncio.run(run())
    if as_json:
        write_line(console, msgspec.json.encode(found).decode())
    else:
        for line in tell_trace(found):
            write_line(console, one_line(line))
    return 0 if found.ledger or found.letters else 1


def tell_trace(found: Trace) -> list[str]:
    """Return a trace, in lines."""
    lines = [f"event {found.event_id}"]
    if found.trace_id:
        lines += [f"trace {found.trace_id}"]
    for row in found.ledger:
        lines += ["", *_tell_ledger(row)]
    if not found.ledger:
        lines += [
            "",
            _UNKNOWN,
        ]
    for row in found.letters:
        lines += ["", *_tell_letter(row)]
    for row in found.operations:
        lines += ["", *_tell_operation(row)]
    return lines


def _tell_ledger(row: Mapping[str, Any]) -> list[str]:
    return [
        f"received   {row['received_at']}  {row['type']}  {row['clerk_user_id'] or ''}",
        f"in Kafka   {_place(row)}",
        f"{row['outcome']:<10} {row['applied_at']}  {row['reason'] or ''}",
    ]


def _tell_letter(row: Mapping[str, Any]) -> list[str]:
    source = "source_topic", "source_partition", "source_offset"
    origin = "/".join("?" if row[name] is None else str(row[name]) for name in source)
    tries = f"{row['attempts']} attempts, {row['replays']} replays"
    first = row["first_failed_at"] or "at an unknown time"
    edited = ", edited" if row["edited"] else ""
    return [
        f"died       {row['dead_at']}  after {tries}{edited}; first failed {first}",
        f"because    {row['error_class']} {row['error_code'] or ''} {row['reason'] or ''}",
        f"in Kafka   {_place(row)}  from {origin}",
        f"{row['state']:<10} {row['operation_id'] or ''}",
    ]


def _tell_operation(row: Mapping[str, Any]) -> list[str]:
    end = f"finished {row['finished_at']}" if row["finished_at"] else "not finished"
    return [
        f"{row['action']:<10} {row['started_at']}  by {row['operator']}, {end}  {row['id']}",
    ]


def _place(row: Mapping[str, Any]) -> str:
    return f"{row['topic']}/{row['partition']}/{row['offset']}"
