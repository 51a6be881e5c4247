"""Changes that are published and old, on a real PostgreSQL."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from deploy.database import connected
from deploy.maintain import outbox
from deploy.maintain.outbox import Outbox, forget_changes, plan_outbox
from tests.rows import BEGINNING, insert

if TYPE_CHECKING:
    import asyncpg
    import pytest

    Database = asyncpg.Connection[asyncpg.Record]

FIRST = int(BEGINNING.timestamp() * 1_000_000)


async def _fill(database: Database, *, changes: int, published: int) -> None:
    """Insert changes, one each microsecond, of which the first so many are published."""
    for number in range(changes):
        await insert(
            database,
            "outbox",
            position=FIRST + number,
            topic="user.changes",
            key="user_1",
            type="clerkwork.user.updated",
            owner="user_1",
            state="{}",
        )
    await insert(
        database,
        "relay_progress",
        name="outbox",
        position=FIRST + published - 1,
        published_at=BEGINNING,
    )


async def test_published_changes_are_forgotten_when_they_are_old(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to the very one, over several batches, noting how far; then nothing is left to do."""
    monkeypatch.setattr(outbox, "BATCH_SIZE", 2)
    await _fill(database, changes=9, published=9)
    keep_from = BEGINNING + timedelta(microseconds=5)
    async with connected(database_url) as operator:
        planned = await plan_outbox(operator, keep_from=keep_from)
        done = [await forget_changes(operator, keep_from=keep_from) for _ in range(2)]
    left = await database.fetch("SELECT position FROM outbox ORDER BY position")

    assert planned == Outbox(forgotten=5, kept=4, waiting=0)
    assert done == [planned, Outbox(forgotten=0, kept=4, waiting=0)]
    assert [row["position"] for row in left] == [FIRST + number for number in range(5, 9)]
    assert await database.fetchval("SELECT forgotten FROM relay_progress") == FIRST + 4


async def test_what_is_not_published_is_kept_however_old(
    database: Database, database_url: str
) -> None:
    """The relay may be down for long; without one nothing is ever forgotten."""
    await _fill(database, changes=4, published=1)
    async with connected(database_url) as operator:
        done = await forget_changes(operator, keep_from=BEGINNING + timedelta(days=1))
        await database.execute("DELETE FROM relay_progress")
        after = await forget_changes(operator, keep_from=BEGINNING + timedelta(days=1))

    assert done == Outbox(forgotten=1, kept=3, waiting=3)
    assert after == Outbox(forgotten=0, kept=3, waiting=3)
