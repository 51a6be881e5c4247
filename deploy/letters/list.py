"""List dead letters, the newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from deploy.letters.select import Selection, over_matching
from deploy.letters.tell import one_line, write_line
from deploy.terminal import is_live
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg
    from rich.console import Console

    Connection = asyncpg.Connection[asyncpg.Record]
    Rows = Sequence[asyncpg.Record]

_SQL: Final = over_matching(read_statements(__file__))
_COLUMNS: Final = (
    *("dead_at", "state", "error_class", "error_code", "type", "clerk_user_id", "event_id"),
    *("attempts", "replays", "place", "reason"),
)


async def find_letters(connection: Connection, selection: Selection) -> Rows:
    """Return the newest letters of a selection, as many as its limit allows."""
    return await connection.fetch(_SQL["list_letters"], *selection.arguments(), selection.limit)


def tell_letters(rows: Rows, *, limit: int, as_json: bool, console: Console) -> None:
    """Print letters: lines of JSON, a table for who watches, else fields between tabs.

    `rows` may be one more than the limit, which then is said and not shown.
    """
    shown = rows[:limit]
    if as_json:
        for row in shown:
            write_line(console, msgspec.json.encode(dict(row)).decode())
    elif not is_live():
        for row in shown:
            write_line(console, "\t".join(_fields(row)))
    elif not shown:
        console.print("No letters.")
    else:
        console.print(_table(shown))
        if len(rows) > limit:
            console.print(f"And more: these are the newest {limit}; --limit shows others.")


def _fields(row: asyncpg.Record) -> list[str]:
    values: dict[str, Any] = dict(row)
    values["dead_at"] = row["dead_at"].isoformat(timespec="seconds").replace("+00:00", "Z")
    values["place"] = f"{row['topic']}/{row['partition']}/{row['offset']}"
    return [one_line(values[name]) for name in _COLUMNS]


def _table(rows: Rows) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("died", "state", "class", "type", "user", "event", "tries", "replays", "reason"):
        table.add_column(name, overflow="fold")
    for row in rows:
        died, state, error_class, code, kind, user, event, attempts, replays, place, reason = (
            _fields(row)
        )
        cells = (died, state, error_class, kind, user, event or place, attempts, replays)
        table.add_row(*map(Text, cells), Text(f"{code} {reason}".strip()))
    return table
