"""Telling of every user again, on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import tell
from deploy.tell import tell_all
from schema.kafka.changes import USER_DELETED, USER_UPDATED
from tests.rows import BEGINNING, insert_user

if TYPE_CHECKING:
    import asyncpg
    import pytest


async def test_every_user_is_told_of_again(
    database: asyncpg.Connection[asyncpg.Record],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The living and the deleted, over several batches; nobody who was only named."""
    monkeypatch.setattr(tell, "BATCH_SIZE", 2)
    living = {await insert_user(database) for _ in range(4)}
    gone = await insert_user(database, status="deleted", deleted_at=BEGINNING)
    await insert_user(database, status="pending")
    told = await tell_all(database_url)
    rows = await database.fetch("SELECT key, type, state IS NULL AS empty FROM outbox")

    assert told == (5, 0)
    assert {tuple(row) for row in rows} == {
        *((user, USER_UPDATED, False) for user in living),
        (gone, USER_DELETED, True),
    }
