"""Each statement of the desk finds its rows by an index."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from deploy.desk.find import events, letters, operations, pipeline
from deploy.letters.select import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
ID: Final = uuid.UUID(int=1)
OPEN: Final = Selection().arguments()
ASKED: Final[dict[str, tuple[Any, ...]]] = {
    "letters.list_page": (*OPEN, 50, NOW, "t", 1, 2),
    "letters.count_states": (100,),
    "operations.list_page": (50, NOW, ID),
    "operations.list_unfinished": (),
    "operations.find_operation": (ID,),
    "operations.find_of_letter": ("t", 1, 2),
    "operations.find_of_event": ("msg_1",),
    "operations.find_busy": ("user_1",),
    "events.list_of_user": ("user_1", None, None, NOW, NOW, 50, NOW, "msg_1"),
    "events.find_known": (["msg_1"],),
    "events.find_told": ("user_1", 1, 2),
    "pipeline.list_applied": (),
    "pipeline.list_stops": (),
}
UNASKED: Final = {"operations.running", "operations.note", "operations.lock_operator"} | {
    "operations.bound_statements"
}
SMALL: Final = {"applied_offsets", "line_stops", "relay_progress"}
"""Tables with a row for each partition: there is nothing to find."""


def _statements() -> dict[str, str]:
    modules = {"letters": letters, "operations": operations, "events": events, "pipeline": pipeline}
    return {
        f"{name}.{each}": text for name, module in modules.items() for each, text in _of(module)
    }


def _of(module: Any) -> Iterator[tuple[str, str]]:
    yield from module._SQL.items()


def test_every_statement_is_tried() -> None:
    """None is forgotten below."""
    assert set(_statements()) == set(ASKED) | UNASKED


@pytest.mark.parametrize("name", ASKED)
async def test_an_index_stands_behind_each_statement(database: Database, name: str) -> None:
    """However large the tables are that grow."""
    await database.execute("SET enable_seqscan = off")
    plan = await database.fetchval(f"EXPLAIN (FORMAT JSON) {_statements()[name]}", *ASKED[name])
    scanned = {
        node["Relation Name"]
        for node in _nodes(json.loads(plan)[0]["Plan"])
        if node["Node Type"] == "Seq Scan"
    }

    assert scanned - SMALL - {"pg_database"} == set()


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", []):
        yield from _nodes(each)
