"""Purge dead letters: give them up. The index keeps their rows, Kafka the records for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from deploy.letters.operate import Operation, new_id, who, write_selection
from deploy.letters.select import Selection, over_matching
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = over_matching(read_statements(__file__))


async def plan_purge(connection: Connection, selection: Selection) -> int:
    """Return how many letters a purge would give up."""
    return int(
        await connection.fetchval(_SQL["count_purge"], *selection.arguments(), selection.limit)
    )


async def purge(
    connection: Connection, selection: Selection, *, operator: str | None = None
) -> Operation:
    """Give letters up, the oldest first where there is a limit; in one statement with the audit.

    `operator` is who does, where it is not the user of this process.
    """
    operation = new_id()
    done = await connection.fetchval(
        _SQL["purge_letters"],
        *selection.arguments(),
        selection.limit,
        operation,
        operator or who(),
        write_selection(selection.describe()),
    )
    return Operation(id=operation, action="purge", planned=done, done=done)
