"""Compare the live tables with the rebuilt ones: how many rows differ, in which columns, which."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from deploy.rebuild.shadow import TABLES
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]
    Row = Mapping[str, Any]

MOST_SHOWN: Final = 20
"""So many rows of each table are told one by one."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What differs in one column; or, where `column` is None, a row that only one side has."""

    table: str
    key: str
    column: str | None
    live: Any
    """The value; where `column` is None, whether the row is there."""
    rebuilt: Any


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How a table and its rebuilt one differ."""

    table: str
    only_live: int
    only_rebuilt: int
    differing: int
    """Rows that both have."""
    columns: Mapping[str, int]
    """Column -> in how many of those."""
    shown: Sequence[Difference]
    """The first of them, by their keys."""

    @property
    def rows(self) -> int:
        """How many rows differ in any way."""
        return self.only_live + self.only_rebuilt + self.differing


async def compare(connection: Connection) -> list[Comparison]:
    """Return how each table differs; nobody must be writing to one of the two.

    Both are read from end to end.
    """
    spelled = await connection.fetch(
        _SQL["spell_comparisons"], list(TABLES), _SQL["count_differences"], _SQL["list_differences"]
    )
    return [await _compare(connection, statements) for statements in spelled]


async def _compare(connection: Connection, statements: asyncpg.Record) -> Comparison:
    table = statements["table"]
    counted = await connection.fetchrow(statements["count"])
    assert counted is not None  # noqa: S101  # an aggregate always has a row
    rows = await connection.fetch(statements["list"], MOST_SHOWN) if counted["rows"] else []
    return Comparison(
        table=table,
        only_live=counted["only_live"],
        only_rebuilt=counted["only_rebuilt"],
        differing=counted["rows"] - counted["only_live"] - counted["only_rebuilt"],
        columns={name: number for name, number in json.loads(counted["columns"]).items() if number},
        shown=[each for row in rows for each in _list(table, row)],
    )


def _list(table: str, row: asyncpg.Record) -> Iterator[Difference]:
    live, rebuilt = (json.loads(row[side]) if row[side] else None for side in ("live", "rebuilt"))
    key = _name(row["key"], live or rebuilt or {})
    if live is None or rebuilt is None:
        yield Difference(
            table=table,
            key=key,
            column=None,
            live=live is not None,
            rebuilt=rebuilt is not None,
        )
        return
    for column, value in live.items():
        if value != rebuilt[column]:
            yield Difference(
                table=table, key=key, column=column, live=value, rebuilt=rebuilt[column]
            )


def _name(key: Sequence[str], row: Row) -> str:
    """Return how a row is called: by Clerk's id where it has one, else by its key."""
    return str(row.get("clerk_id") or "/".join(key))
