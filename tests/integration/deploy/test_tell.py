"""Telling of every user again, on a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import tell
from deploy.tell import tell_all
from schema.kafka.changes import POST_UPDATED, USER_DELETED, USER_UPDATED
from schema.postgres.ids import derive_id
from tests.commands import new_post_id
from tests.rows import BEGINNING, insert, insert_held_back, insert_user

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


async def test_every_post_is_told_of_again(
    database: asyncpg.Connection[asyncpg.Record],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over several batches; none that is deleted, not there yet, or hidden with its author."""
    monkeypatch.setattr(tell, "BATCH_SIZE", 2)
    author = await insert_user(database)
    hidden = await insert_held_back(database, until=BEGINNING)
    there: dict[str, object] = {"created_at": BEGINNING, "updated_at": BEGINNING}
    rows: list[dict[str, object]] = [*[{"status": "published", **there}] * 3, there]
    rows += [{"deleted_at": BEGINNING}, {}]
    posts = [new_post_id(author) for _ in rows]
    for post, row in zip(posts, rows, strict=True):
        await insert(database, "posts", id=post, user_id=derive_id(author), **row)
    await insert(database, "posts", id=new_post_id(hidden), user_id=derive_id(hidden), **there)
    told = await tell_all(database_url)
    found = await database.fetch("SELECT key, type, public FROM outbox WHERE owner <> key")

    assert told == (2, 4)
    assert {tuple(row) for row in found} == {
        (str(post), POST_UPDATED, n < 3) for n, post in enumerate(posts[:4])
    }
