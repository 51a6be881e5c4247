"""Workers die by SIGKILL in the middle of their work: nothing is lost, nothing is wrong."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import asyncpg

from tests.chaos.promises import count_in_ledger
from tests.chaos.stories import make_story, publish, refuse_a_name
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable

    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.promises import Witness
    from tests.chaos.troupe import Arena

    Database = asyncpg.Connection[asyncpg.Record]
    StartWorker = Callable[..., Process]

POINT = 4242
"""The advisory lock that holds a worker at a point."""


async def test_killed_at_random(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Killed again and again at any moment of its work, the worker ends where the model does."""
    story = make_story(chance, events=1800)
    await publish(producer, story.told)
    kills = 0
    while kills < 4 and await count_in_ledger(database, story.ids) < len(story.told):
        progress = (await count_in_ledger(database, story.ids)).__lt__
        worker = await asyncio.to_thread(start_worker, database_url)
        await until(lambda: count_in_ledger(database, story.ids), progress)
        await asyncio.sleep(chance.random() * 0.05)
        await asyncio.to_thread(worker.kill)
        kills += 1
    await asyncio.to_thread(start_worker, database_url)

    await witness.check(story)
    assert kills >= 2


async def test_killed_in_mid_transaction(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Killed between the rows and the ledger of one batch: neither is kept, both come again."""
    story = make_story(chance, events=300)
    async with _locked_ledger(database_url):
        await publish(producer, story.told)
        worker = await asyncio.to_thread(start_worker, database_url)
        await until(lambda: _waits_for_a_lock(database), bool)
        await asyncio.to_thread(worker.kill)
    await until(lambda: _sessions_of_workers(database), (0).__eq__)
    assert await database.fetchval("SELECT count(*) FROM users") == 0
    await asyncio.to_thread(start_worker, database_url)

    await witness.check(story)


async def test_killed_in_mid_bisect(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Killed while it looks for the poison: the good ones are applied once, the bad one is dead."""
    story = make_story(chance, events=300, planted=6)
    await refuse_a_name(database)
    await _stop_at_the_dead(database)
    await _notice_the_dead_at_once(database)
    holder = await asyncpg.connect(database_url)
    await holder.execute(f"SELECT pg_advisory_lock({POINT})")
    await publish(producer, story.told)
    for _ in range(2):
        worker = await asyncio.to_thread(start_worker, database_url)
        await until(lambda: _waits_for_a_lock(database), bool)
        await asyncio.to_thread(worker.kill)
        await until(lambda: _sessions_of_workers(database), (0).__eq__)
    await holder.close()
    await asyncio.to_thread(start_worker, database_url)

    await witness.check(story)


async def test_killed_between_the_commits(
    arena: Arena,
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Killed when the rows are committed and the offsets are not: the batch comes twice."""
    story = make_story(chance, events=300)
    async with _locked_ledger(database_url):
        await publish(producer, story.told)
        worker = await asyncio.to_thread(start_worker, database_url)
        await until(lambda: _waits_for_a_lock(database), bool)
        arena.to_kafka.hold_requests()
    await until(lambda: count_in_ledger(database, story.ids), bool)
    await asyncio.to_thread(worker.kill)
    arena.to_kafka.reset()
    arena.to_kafka.heal()
    await asyncio.to_thread(start_worker, database_url)

    await witness.check(story)


async def test_stopped_politely_in_the_middle(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """SIGTERM drains: the batch in flight is finished and committed, and the exit code is 0."""
    story = make_story(chance, events=1200)
    worker = await asyncio.to_thread(start_worker, database_url)
    publishing = asyncio.create_task(publish(producer, story.told))
    await until(lambda: count_in_ledger(database, story.ids), bool)
    code = await asyncio.to_thread(worker.stop)
    await publishing
    await asyncio.to_thread(start_worker, database_url)

    assert code == 0
    await witness.check(story)


@contextlib.asynccontextmanager
async def _locked_ledger(database_url: str) -> AsyncIterator[None]:
    """Let nobody write into the ledger."""
    blocker = await asyncpg.connect(database_url)
    try:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE events IN EXCLUSIVE MODE")
            yield
    finally:
        await blocker.close()


async def _stop_at_the_dead(database: Database) -> None:
    """Have a worker wait wherever it records that an event is dead."""
    await database.execute(f"""
        CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock({POINT});
            RETURN NEW;
        END $$;
        CREATE TRIGGER hold BEFORE INSERT ON events
            FOR EACH ROW WHEN (NEW.outcome = 'dead') EXECUTE FUNCTION hold()
    """)


async def _notice_the_dead_at_once(database: Database) -> None:
    """Have sessions to come look after their clients also while they wait for a lock."""
    name = await database.fetchval("SELECT current_database()")
    await database.execute(f"ALTER DATABASE {name} SET client_connection_check_interval = 100")


async def _waits_for_a_lock(database: Database) -> bool:
    """Tell whether a worker has written its rows and waits where it was made to."""
    return await database.fetchval("""
        SELECT EXISTS (
            SELECT FROM pg_stat_activity
            WHERE datname = current_database() AND application_name = 'clerkwork-worker'
                AND wait_event_type = 'Lock'
        )
    """)


async def _sessions_of_workers(database: Database) -> int:
    return await database.fetchval("""
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'clerkwork-worker'
    """)
