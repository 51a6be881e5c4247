"""Sessions that run out, on a real PostgreSQL with workers beside."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from deploy.database import connected
from deploy.maintain import sessions
from deploy.maintain.sessions import mark_sessions, plan_sessions
from schema.ops.metrics import SESSION_STATUSES
from tests.rows import BEGINNING, insert_session, insert_user

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]

NOW = BEGINNING + timedelta(days=7)
MOMENTS = (None, NOW - timedelta(seconds=1), NOW, NOW + timedelta(microseconds=1))


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[Database]:
    """The connection that maintenance has."""
    async with connected(database_url) as connection:
        yield connection


async def _statuses(database: Database) -> dict[str, int]:
    rows = await database.fetch("SELECT status, count(*) FROM sessions GROUP BY status")
    return {row["status"]: row["count"] for row in rows}


def _expected(status: str, *, over: bool, given_up: bool) -> str:
    if given_up and status in {"pending", "active", "expired"}:
        return "abandoned"
    if over and status in {"pending", "active"}:
        return "expired"
    return status


async def test_exactly_those_that_have_run_out_are_marked(
    database: Database, operator: Database
) -> None:
    """For every status and every order of the moments; the second run finds nothing to do."""
    user = await insert_user(database)
    expected = {}
    for status, expire, abandon in itertools.product(SESSION_STATUSES, MOMENTS, MOMENTS):
        key = await insert_session(
            database, user, status=status, expire_at=expire, abandon_at=abandon
        )
        over, given_up = (moment is not None and moment <= NOW for moment in (expire, abandon))
        expected[key] = _expected(status, over=over, given_up=given_up)
    told = await plan_sessions(operator, now=NOW)
    done = await mark_sessions(operator, now=NOW)
    again = await mark_sessions(operator, now=NOW)
    rows = await database.fetch("SELECT id, status FROM sessions")

    assert {row["id"]: row["status"] for row in rows} == expected
    assert (done.abandoned, done.expired) == (told.abandoned, told.expired) == (3 * 8, 2 * 4)
    assert done.by_status == await _statuses(database)
    assert (again.abandoned, again.expired) == (0, 0)


async def test_a_batch_is_not_the_end(
    database: Database, operator: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All are marked, however many."""
    monkeypatch.setattr(sessions, "BATCH_SIZE", 3)
    user = await insert_user(database)
    for number in range(10):
        at = NOW - timedelta(hours=number)
        await insert_session(database, user, expire_at=at)
        await insert_session(database, user, abandon_at=at)
    done = await mark_sessions(operator, now=NOW)

    assert (done.abandoned, done.expired) == (10, 10)


async def test_what_a_worker_writes_to_is_left_for_the_next_time(
    database: Database, operator: Database
) -> None:
    """Nobody is waited for: the worker may hold its locks for as long as it needs."""
    user = await insert_user(database)
    held = await insert_session(database, user, abandon_at=NOW)
    for _ in range(3):
        await insert_session(database, user, abandon_at=NOW)
    async with database.transaction():
        await database.execute("SELECT FROM users FOR UPDATE")
        await database.execute("SELECT FROM sessions WHERE id = $1 FOR UPDATE", held)
        await operator.execute("SET lock_timeout = '1min'")
        async with asyncio.timeout(20):
            done = await mark_sessions(operator, now=NOW)
    again = await mark_sessions(operator, now=NOW)

    assert (done.abandoned, again.abandoned) == (3, 1)


async def test_several_at_once_and_writers_beside_them_agree(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each session is marked once, in whatever order others lock: nobody meets a deadlock."""
    monkeypatch.setattr(sessions, "BATCH_SIZE", 7)
    user = await insert_user(database)
    keys = [
        await insert_session(database, user, expire_at=NOW - timedelta(seconds=number))
        for number in range(300)
    ]

    async def write(order: list[object]) -> None:
        async with connected(database_url) as connection:
            for first in range(0, len(order), 20):
                async with connection.transaction():
                    await connection.execute("SELECT FROM users FOR UPDATE")
                    for key in order[first : first + 20]:
                        await connection.execute(
                            "UPDATE sessions SET last_active_at = now() WHERE id = $1", key
                        )

    async def mark() -> int:
        async with connected(database_url) as connection:
            return (await mark_sessions(connection, now=NOW)).expired

    *marked, _, _ = await asyncio.gather(
        *(mark() for _ in range(3)), write(list(keys)), write(list(reversed(keys)))
    )
    marked.append(await mark())

    assert sum(each or 0 for each in marked) == 300
    assert await _statuses(database) == {"expired": 300}
    assert await database.fetchval("SELECT bool_and(last_active_at IS NOT NULL) FROM sessions")


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("abandon_sessions", "sessions_abandon_at_idx"),
        ("expire_sessions", "sessions_expire_at_idx"),
        ("count_abandoned", "sessions_abandon_at_idx"),
        ("count_expired", "sessions_expire_at_idx"),
    ],
)
async def test_an_index_is_behind_each_statement(
    database: Database, statement: str, index: str
) -> None:
    """The table is not read."""
    arguments = [NOW, 1000] if "$2" in sessions._SQL[statement] else [NOW]
    await database.execute("SET enable_seqscan = off")
    rows = await database.fetch(f"EXPLAIN {sessions._SQL[statement]}", *arguments)
    plan = "\n".join(row[0] for row in rows)

    assert index in plan
    assert "Seq Scan" not in plan
