"""Restore deleted users, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from deploy.database import connected
from deploy.environment import ROOT
from deploy.errors import OperatorError
from deploy.maintain.erasures import erase_due
from deploy.restore import restore
from schema.kafka.changes import POST_CREATED, USER_CREATED, UserState
from schema.postgres.ids import derive_id
from tests.commands import new_post_id
from tests.rows import BEGINNING, insert, insert_held_back, insert_session, insert_user

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

UNTIL = BEGINNING + timedelta(days=30)
DELETION = ("status", "deleted_at", "deletion_event_id", "held_status", "erase_at", "restored_at")


async def _row(database: Database, user: str) -> dict[str, object]:
    row = await database.fetchrow("SELECT * FROM users WHERE clerk_id = $1", user)
    assert row
    return dict(row)


@pytest.mark.parametrize("name", [lambda user: user, lambda user: str(derive_id(user))])
async def test_a_restored_user_is_as_before(
    database: Database, database_url: str, name: Callable[[str], str]
) -> None:
    """By the clerk id or the id of the row; only the deletion is gone, and those up to now void."""
    user = await insert_held_back(database, until=UNTIL)
    session = await insert_session(database, user)
    before = await _row(database, user)
    done = await restore(database_url, name(user))
    after = await _row(database, user)

    changed = {name: after[name] for name in before if after[name] != before[name]}
    restored_at = changed.pop("restored_at")
    assert (done.clerk_id, done.status, done.erase_at) == (user, "banned", UNTIL)
    assert changed == dict.fromkeys(DELETION[1:-1]) | {"status": "banned"}
    assert isinstance(restored_at, datetime)
    assert abs(restored_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert await database.fetchval("SELECT id FROM sessions") == session


async def test_others_are_told_of_a_restoration(database: Database, database_url: str) -> None:
    """As of somebody new; but not of who was never more than a name."""
    user = await insert_held_back(database, until=UNTIL)
    stub = await insert_held_back(database, until=UNTIL, held_status="pending")
    for each in (user, stub):
        await restore(database_url, each)
    [told] = await database.fetch("SELECT key, type, state FROM outbox")

    assert (told["key"], told["type"]) == (user, USER_CREATED)
    assert UserState.model_validate_json(told["state"]).status == "banned"


async def test_posts_are_back_with_their_author(database: Database, database_url: str) -> None:
    """Told as new, also of who was never more than a name; what is deleted stays so."""
    stub = await insert_held_back(database, until=UNTIL, held_status="pending")
    posts = [new_post_id(stub) for _ in range(3)]
    living: dict[str, object] = {"user_id": derive_id(stub), "title": "Hello", "version": 1}
    living |= {"created_at": BEGINNING, "updated_at": BEGINNING}
    await insert(database, "posts", id=posts[0], **living)
    await insert(database, "posts", id=posts[1], status="published", **living)
    await insert(database, "posts", id=posts[2], user_id=derive_id(stub), deleted_at=BEGINNING)
    await restore(database_url, stub)
    rows = await database.fetch("SELECT key, type, public FROM outbox")

    assert {tuple(row) for row in rows} == {
        (str(posts[0]), POST_CREATED, False),
        (str(posts[1]), POST_CREATED, True),
    }


async def test_a_deletion_of_the_future_is_void_too(database: Database, database_url: str) -> None:
    """The clock that deletes may be ahead of the clock that restores."""
    ahead = datetime.now(UTC) + timedelta(hours=1)
    user = await insert_held_back(database, until=UNTIL, deleted_at=ahead)
    await restore(database_url, user)

    assert (await _row(database, user))["restored_at"] == ahead


async def test_who_is_not_deleted_is_refused(database: Database, database_url: str) -> None:
    """And stays as before; so is who was restored already."""
    user = await insert_user(database)
    restored = await insert_held_back(database, until=UNTIL)
    await restore(database_url, restored)
    rows = [await _row(database, each) for each in (user, restored)]
    for each in (user, restored):
        with pytest.raises(OperatorError, match=f"^{each} is not deleted"):
            await restore(database_url, each)

    assert [await _row(database, each) for each in (user, restored)] == rows


async def test_who_is_erased_is_refused(database: Database, database_url: str) -> None:
    """With the time of the deletion."""
    user = await insert_held_back(database, until=UNTIL)
    async with connected(database_url) as connection:
        await erase_due(connection, now=UNTIL)
    row = await _row(database, user)
    with pytest.raises(OperatorError, match=rf"deleted at {BEGINNING:%Y-%m-%d}.* erased already"):
        await restore(database_url, user)

    assert await _row(database, user) == row


@pytest.mark.parametrize("user", ["user_nobody", "", str(uuid.UUID(int=0))])
async def test_nobody_is_refused(database_url: str, user: str) -> None:
    """By the name that was given."""
    with pytest.raises(OperatorError, match=f"^There is no user {user}.$"):
        await restore(database_url, user)


async def test_an_erasure_beside_it_comes_wholly_before(
    database: Database, database_url: str
) -> None:
    """It is judged by what the row is once it is free."""
    user = await insert_held_back(database, until=UNTIL)
    async with database.transaction():
        await database.execute("UPDATE users SET erase_at = NULL, held_status = NULL")
        running = asyncio.create_task(restore(database_url, user))
        await asyncio.sleep(0.3)
        assert not running.done()
    with pytest.raises(OperatorError, match="erased already"):
        await running

    assert (await _row(database, user))["status"] == "deleted"


async def test_a_deletion_beside_it_comes_wholly_before(
    database: Database, database_url: str
) -> None:
    """Who is deleted and held back while it waits is restored from that deletion."""
    user = await insert_user(database)
    async with database.transaction():
        await database.execute(
            "UPDATE users SET status = 'deleted', held_status = 'locked', deleted_at = $1,"
            " deletion_event_id = 'msg_1', erase_at = $2",
            BEGINNING,
            UNTIL,
        )
        running = asyncio.create_task(restore(database_url, user))
        await asyncio.sleep(0.3)

    assert (await running).status == "locked"
    assert [(await _row(database, user))[name] for name in DELETION[:-1]] == ["locked", *[None] * 4]


async def _console(url: str, user: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy", "restore", user),
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_command_says_what_it_did(database: Database, database_url: str) -> None:
    """Or, with exit code 1, why it did nothing."""
    user = await insert_held_back(database, until=UNTIL)
    code, out, _ = await _console(database_url, user)
    again = await _console(database_url, user)

    said = f"{user} is restored, banned as before: deleted at {BEGINNING}"
    assert (code, out) == (0, f"{said}, it was to be erased after {UNTIL}.\n")
    assert again == (1, "", f"{user} is not deleted: there is nothing to restore.\n")
