"""Workers die by SIGKILL in the middle of their work: nothing is lost, nothing is wrong."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg

from schema.kafka.headers import read_headers
from tests.chaos.history import (
    Happening,
    count_in_ledger,
    dead_in_ledger,
    expected_users,
    found_users,
    make_history,
    publish_history,
)
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable

    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]
    StartWorker = Callable[[str], Process]


async def _check(database: Database, history: list[Happening], read_topic: ReadTopic) -> None:
    """Check every invariant, once everything is in the ledger."""
    await until(
        lambda: count_in_ledger(database, history),
        lambda count: count == len(history),
        within_s=90,
    )
    poison = {happening.event_id for happening in history if happening.poison}
    ours = {happening.event_id for happening in history}
    letters = [read_headers(r.headers)["ce_id"] for r in await read_topic("clerk.user-events.dlq")]

    assert await found_users(database, history) == expected_users(history)
    assert await dead_in_ledger(database, history) == poison
    assert set(letters) & ours == poison


async def test_killed_at_random(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    read_topic: ReadTopic,
) -> None:
    """Killed again and again at any moment of its work, the worker ends where the model does."""
    history = make_history(chance, users=60, events=3000)
    await publish_history(producer, history)
    kills = 0
    while kills < 8 and await count_in_ledger(database, history) < len(history):
        progress = (await count_in_ledger(database, history)).__lt__
        worker = await asyncio.to_thread(start_worker, database_url)
        await until(lambda: count_in_ledger(database, history), progress)
        await asyncio.sleep(chance.random() * 0.05)
        await asyncio.to_thread(worker.kill)
        kills += 1
    await asyncio.to_thread(start_worker, database_url)

    await _check(database, history, read_topic)
    assert kills >= 3


async def test_killed_in_mid_transaction(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    read_topic: ReadTopic,
) -> None:
    """Killed between the rows and the ledger of one batch: neither is kept, both come again."""
    history = make_history(chance, users=20, events=300)
    blocker = await asyncpg.connect(database_url)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE events IN EXCLUSIVE MODE")
        await publish_history(producer, history)
        worker = await asyncio.to_thread(start_worker, database_url)
        await until(lambda: _waiting_for_ledger(database), bool)
        await asyncio.to_thread(worker.kill)
    await blocker.close()
    await until(lambda: _sessions_of_workers(database), lambda count: count == 0)
    assert await found_users(database, history) == {}
    await asyncio.to_thread(start_worker, database_url)

    await _check(database, history, read_topic)


async def _waiting_for_ledger(database: Database) -> bool:
    """Tell whether a worker has written rows and waits for the one table that is locked."""
    return await database.fetchval("""
        SELECT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'clerkwork-worker'
                AND wait_event_type = 'Lock' AND wait_event = 'relation'
        )
    """)


async def _sessions_of_workers(database: Database) -> int:
    return await database.fetchval("""
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'clerkwork-worker'
    """)


async def test_stopped_politely_in_the_middle(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    read_topic: ReadTopic,
) -> None:
    """SIGTERM drains: the batch in flight is finished and committed, and the exit code is 0."""
    history = make_history(chance, users=30, events=1500)
    worker = await asyncio.to_thread(start_worker, database_url)
    publishing = asyncio.create_task(publish_history(producer, history))
    await until(lambda: count_in_ledger(database, history), lambda count: count > 0)
    code = await asyncio.to_thread(worker.stop)
    await publishing
    await asyncio.to_thread(start_worker, database_url)

    assert code == 0
    await _check(database, history, read_topic)
