"""Copy a sample of rows from one database to another, and compare the structure of the two."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

CHUNKS: Final = 16
"""So many pieces of a COPY, 64 KiB or so each, wait between the two databases at most."""
SMALL: Final = 1_000
READ_WHOLE: Final = 20
"""A table of no more than SMALL rows, or so many times the sample, is read whole to choose from."""
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What was copied of a table."""

    table: str
    rows: int
    of_about: int
    """What the planner believes that the table holds."""


async def copy_sample(real: Connection, scratch: Connection, *, rows: int) -> list[Sample]:
    """Copy up to so many rows of each table that both have, in place of those that are there.

    References in the copy hold, no trigger has fired, and sequences go on behind the rows. Call
    it in a transaction of `real`, so that all tables are seen at one moment.
    """
    columns = await _common_columns(real, scratch)
    references = await scratch.fetch(_SQL["list_references"])
    for each in references:
        await scratch.execute(each["drop"])
    about = {
        table: await _copy_table(real, scratch, table=table, columns=names, rows=rows)
        for table, names in columns.items()
    }
    while any([await _delete(scratch, each["delete_orphans"]) for each in references]):
        pass  # a row whose row is gone may itself be another's
    for each in [*references, *await scratch.fetch(_SQL["list_sequences"])]:
        await scratch.execute(each["restore"])
    await scratch.execute("ANALYZE")
    return [
        Sample(table=table, rows=await count_rows(scratch, table), of_about=estimate)
        for table, estimate in about.items()
    ]


async def count_rows(connection: Connection, table: str) -> int:
    """Return how many rows a table has."""
    return int(await connection.fetchval(f"SELECT count(*) FROM {quote(table)}"))  # noqa: S608 - quoted


async def compare_structures(real: Connection, scratch: Connection) -> list[str]:
    """Return in words what one of them has and the other has not, partitions aside."""
    found, declared = [
        {(row["table"], row["part"]) for row in await connection.fetch(_SQL["describe"])}
        for connection in (real, scratch)
    ]
    return [
        *_tell(found - declared, {table for table, _ in declared}, "only in the database"),
        *_tell(declared - found, {table for table, _ in found}, "only in the revisions"),
    ]


def quote(name: str) -> str:
    """Return an identifier as SQL wants it."""
    return '"' + name.replace('"', '""') + '"'


def _tell(parts: set[tuple[str, str]], known_tables: set[str], where: str) -> list[str]:
    whole = {f"{where}: table {table}" for table, _ in parts if table not in known_tables}
    some = {f"{where}: {table}: {part}" for table, part in parts if table in known_tables}
    return sorted(whole | some)


async def _common_columns(real: Connection, scratch: Connection) -> Mapping[str, Sequence[str]]:
    ours, theirs = [
        [tuple(row) for row in await connection.fetch(_SQL["list_columns"])]
        for connection in (real, scratch)
    ]
    columns: dict[str, list[str]] = {}
    for table, column, kind in ours:
        if (table, column, kind) in theirs:
            columns.setdefault(table, []).append(column)
    return columns


async def _copy_table(
    real: Connection, scratch: Connection, *, table: str, columns: Sequence[str], rows: int
) -> int:
    plan = await real.fetchval(f"EXPLAIN (FORMAT JSON) SELECT FROM {quote(table)}")
    estimate = int(json.loads(plan)[0]["Plan"]["Plan Rows"])
    # From all over the table, not the newest: it is the old rows that surprise a migration.
    query = f"SELECT {', '.join(map(quote, columns))} FROM {quote(table)} "  # noqa: S608 - quoted
    if estimate <= max(SMALL, READ_WHOLE * rows):
        query += f"ORDER BY random() LIMIT {rows:d}"
    else:
        # Whole pages by chance: the others are not read.
        query += f"TABLESAMPLE SYSTEM ({100 * rows / estimate:f}) LIMIT {rows:d}"
    await scratch.execute(f"TRUNCATE {quote(table)}")  # what the revisions themselves put there
    await scratch.execute(f"ALTER TABLE {quote(table)} DISABLE TRIGGER USER")
    await _pipe(real, scratch, query=query, table=table, columns=columns)
    await scratch.execute(f"ALTER TABLE {quote(table)} ENABLE TRIGGER USER")
    return estimate


async def _pipe(
    real: Connection, scratch: Connection, *, query: str, table: str, columns: Sequence[str]
) -> None:
    chunks: asyncio.Queue[bytes] = asyncio.Queue(CHUNKS)

    async def read() -> None:
        await real.copy_from_query(query, output=chunks.put, format="binary")
        await chunks.put(b"")

    write = scratch.copy_to_table(table, source=_drain(chunks), columns=columns, format="binary")
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(read())
            both.create_task(write)
    except ExceptionGroup as group:
        raise group.exceptions[0] from group  # when one side fails, the other is only cancelled


async def _drain(chunks: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
    while chunk := await chunks.get():
        yield chunk


async def _delete(connection: Connection, statement: str) -> bool:
    return not (await connection.execute(statement)).endswith(" 0")
