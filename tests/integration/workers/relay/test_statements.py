"""The relay's statements: each finds its rows by an index, however much is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from schema.postgres.statements import read_statements
from tests.changes import new_keys, put_changes
from workers.relay import fetch, hold, measure, note

if TYPE_CHECKING:
    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

STATEMENTS = {
    name: statement
    for module in (fetch, hold, measure, note)
    for name, statement in read_statements(module.__file__ or "").items()
}


async def test_an_index_stands_behind_each_statement(database: Database) -> None:
    """Where there is another way, no statement reads the outbox from end to end."""
    positions = await put_changes(database, new_keys(5000))
    await database.execute(STATEMENTS["note_progress"], positions[-100])
    await database.execute("ANALYZE")
    await database.execute("SET plan_cache_mode = force_generic_plan")
    await database.execute("SET enable_seqscan = off")
    plans = {
        name: json.dumps(await _plan(database, name, statement))
        for name, statement in STATEMENTS.items()
    }

    assert [name for name, plan in plans.items() if "Seq Scan" in plan] == []
    assert '"Index Scan' in plans["fetch_changes"] or '"Index Only Scan' in plans["fetch_changes"]
    assert '"Sort"' not in plans["fetch_changes"]


async def _plan(database: Database, name: str, statement: str) -> object:
    count = max((number for number in range(1, 9) if f"${number}" in statement), default=0)
    values = f"({', '.join(['1'] * count)})" if count else ""
    await database.execute(f"PREPARE {name} AS {statement}")
    return json.loads(await database.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE {name}{values}"))


async def test_progress_never_goes_back(database: Database) -> None:
    """Whoever notes less than is noted already changes nothing."""
    for position in (7, 5, 9, 8):
        await note.note_progress(database, position)

    assert await note.read_progress(database) == 9


async def test_the_backlog_is_what_is_beyond_both_marks(
    pool: asyncpg.Pool[asyncpg.Record], database: Database
) -> None:
    """What is noted, and what the active relay knows better."""
    positions = await put_changes(database, new_keys(10))
    before = await measure.measure_backlog(pool, published=0)
    await note.note_progress(database, positions[3])
    noted = await measure.measure_backlog(pool, published=0)
    known = await measure.measure_backlog(pool, published=positions[7])
    nothing = await measure.measure_backlog(pool, published=positions[9])

    assert [each.pending for each in (before, noted, known, nothing)] == [10, 6, 2, 0]
    assert before.lag_s > 0
    assert nothing.lag_s == 0
