"""Deleted users whose time has come, on a real PostgreSQL with others beside."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from deploy.database import connected
from deploy.errors import OperatorError
from deploy.maintain import erasures
from deploy.maintain.erasures import Erasures, erase_due, plan_erasures
from deploy.restore import restore
from schema.postgres.ids import derive_id
from tests.commands import new_post_id
from tests.rows import BEGINNING, insert, insert_held_back, insert_session, insert_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

NOW = BEGINNING + timedelta(days=30)
TABLES = ("user_data", "user_names", "sessions", "posts")
NAMED = "SELECT count(*) FROM users WHERE first_name IS NOT NULL"


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[Database]:
    """The connection that maintenance has."""
    async with connected(database_url) as connection:
        yield connection


async def _give_data(database: Database, user: str) -> None:
    key = derive_id(user)
    await insert(database, "user_data", user_id=key, key="session_count", value="1")
    await insert(database, "user_names", user_id=key, version=1, first_name="Ada")
    await insert_session(database, user)
    await insert(database, "posts", id=new_post_id(user), user_id=key, title="Hello")
    for kind in ("user.created", "user.deleted"):
        await insert(
            database,
            "events",
            event_id=f"{kind} {user}",
            occurred_at=BEGINNING,
            type=kind,
            clerk_user_id=user,
            received_at=BEGINNING,
            applied_at=BEGINNING,
            outcome="applied",
            topic="t",
            partition=0,
            offset=0,
        )


async def _left_of(database: Database, user: str) -> tuple[int, int]:
    """Return how many rows there are of a user, and how many events name the user."""
    rows = [
        await database.fetchval(
            f"SELECT count(*) FROM {table} WHERE user_id = $1",  # noqa: S608 - our own names
            derive_id(user),
        )
        for table in TABLES
    ]
    named = await database.fetchval("SELECT count(*) FROM events WHERE clerk_user_id = $1", user)
    return sum(rows), named


async def test_exactly_those_whose_time_has_come_are_erased(
    database: Database, operator: Database
) -> None:
    """They leave a tombstone, the others stay as they are; the second run finds nothing to do."""
    due = await insert_held_back(database, until=NOW)
    later = await insert_held_back(database, until=NOW + timedelta(microseconds=1))
    living = await insert_user(database)
    for user in (due, later, living):
        await _give_data(database, user)
    told = await plan_erasures(operator, now=NOW)
    done = await erase_due(operator, now=NOW)
    again = await erase_due(operator, now=NOW)
    row = await database.fetchrow("SELECT * FROM users WHERE clerk_id = $1", due)

    assert told == done == Erasures(erased=1, held_back=1)
    assert again == Erasures(erased=0, held_back=1)
    assert await _left_of(database, due) == (0, 1)
    assert await _left_of(database, later) == await _left_of(database, living) == (4, 2)
    assert row is not None
    assert (row["status"], row["deleted_at"]) == ("deleted", BEGINNING)
    assert {row[name] for name in ("email", "first_name", "held_status", "erase_at")} == {None}
    assert row["version_event_id"] == row["deletion_event_id"]
    assert await database.fetchval(NAMED) == 2


async def test_a_batch_is_not_the_end(
    database: Database, operator: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are erased, however many."""
    monkeypatch.setattr(erasures, "BATCH_SIZE", 3)
    for number in range(10):
        await insert_held_back(database, until=NOW - timedelta(hours=number))
    done = await erase_due(operator, now=NOW)

    assert done == Erasures(erased=10, held_back=0)
    assert await database.fetchval(NAMED) == 0


async def test_whom_a_worker_writes_to_is_left_for_the_next_time(
    database: Database, operator: Database
) -> None:
    """Nobody is waited for."""
    held = await insert_held_back(database, until=NOW)
    await insert_held_back(database, until=NOW)
    async with database.transaction():
        await database.execute("SELECT FROM users WHERE clerk_id = $1 FOR UPDATE", held)
        await operator.execute("SET lock_timeout = '1min'")
        async with asyncio.timeout(20):
            done = await erase_due(operator, now=NOW)
    again = await erase_due(operator, now=NOW)

    assert (done.erased, done.held_back, again.erased) == (1, 1, 1)


async def test_a_batch_is_tried_again_when_others_are_in_the_way(
    database: Database, operator: Database
) -> None:
    """Who empties an organization holds memberships, whoever holds their users."""
    organization = derive_id("org_1")
    await insert(database, "organizations", id=organization, clerk_id="org_1")
    users = [await insert_held_back(database, until=NOW) for _ in range(2)]
    for user in users:
        await insert(
            database,
            "organization_memberships",
            id=derive_id(f"orgmem_{user}"),
            clerk_id=f"orgmem_{user}",
            organization_id=organization,
            user_id=derive_id(user),
            role="org:member",
            created_at=BEGINNING,
            updated_at=BEGINNING,
        )
    async with database.transaction():
        await database.execute("DELETE FROM organization_memberships")
        running = asyncio.create_task(erase_due(operator, now=NOW))
        await asyncio.sleep(2.5)  # longer than it waits for a lock
        assert not running.done()

    assert (await running).erased == 2


async def test_several_at_once_and_restorations_beside_them_agree(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each user is either erased or restored, wholly."""
    monkeypatch.setattr(erasures, "BATCH_SIZE", 3)
    users = [await insert_held_back(database, until=NOW) for _ in range(60)]
    for user in users:
        await _give_data(database, user)

    async def erase() -> int:
        async with connected(database_url) as connection:
            return (await erase_due(connection, now=NOW)).erased

    async def restore_some() -> int:
        restored = 0
        for user in users[::-5]:
            try:
                await restore(database_url, user)
            except OperatorError:
                continue
            restored += 1
        return restored

    *erased, restored = await asyncio.gather(erase(), erase(), restore_some())
    erased.append(await erase())
    wholly = {await _left_of(database, user) for user in users}

    assert sum(erased) + restored == len(users)
    assert await database.fetchval(NAMED) == restored
    assert wholly <= {(0, 1), (4, 2)}


@pytest.mark.parametrize("statement", ["release_users", "count_due"])
async def test_an_index_is_behind_each_statement(database: Database, statement: str) -> None:
    """The table is not read."""
    arguments = [NOW, 500] if "$2" in erasures._SQL[statement] else [NOW]
    await database.execute("SET enable_seqscan = off")
    rows = await database.fetch(f"EXPLAIN {erasures._SQL[statement]}", *arguments)
    plan = "\n".join(row[0] for row in rows)

    assert "users_erase_at_idx" in plan
    assert "Seq Scan" not in plan
