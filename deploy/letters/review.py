"""Review what operators have done."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from rich.table import Table
from rich.text import Text

from deploy.letters.tell import one_line, write_line
from deploy.terminal import is_live

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import asyncpg
    from rich.console import Console

_COLUMNS: Final = ("started_at", "finished_at", "action", "operator", "done", "planned", "id")


def tell_operations(rows: Sequence[asyncpg.Record], *, as_json: bool, console: Console) -> None:
    """Print operations: lines of JSON, a table for who watches, else fields between tabs."""
    if as_json:
        for row in rows:
            said = dict(row) | {"selection": msgspec.Raw(row["selection"].encode())}
            write_line(console, msgspec.json.encode(said).decode())
    elif not is_live():
        for row in rows:
            write_line(console, "\t".join(_fields(dict(row))))
    else:
        table = Table(box=None, pad_edge=False)
        for name in ("started", "finished", "action", "operator", "done", "of", "id", "selection"):
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, _fields(dict(row))))
        console.print(table)


def _fields(row: Mapping[str, Any]) -> list[str]:
    times = [row[name] and f"{row[name]:%Y-%m-%dT%H:%M:%SZ}" for name in _COLUMNS[:2]]
    return [
        *map(one_line, times),
        *(one_line(row[name]) for name in _COLUMNS[2:]),
        one_line(row["selection"]),
    ]
