"""PostgreSQL is there and of no use: the worker waits, nothing healthy is dead-lettered."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.chaos.promises import count_in_ledger
from tests.chaos.sickness import SICKNESSES, end_sessions
from tests.chaos.stories import make_story, publish
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.promises import Witness

    StartWorker = Callable[..., Process]
    Database = asyncpg.Connection[asyncpg.Record]


@pytest.mark.parametrize("sickness", SICKNESSES)
async def test_a_sick_database_is_waited_out(
    sickness: str,
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Read-only, full, or without a table: nothing is applied till it is cured, then everything."""
    story = make_story(chance, events=600)
    half = len(story.told) // 2
    worker = await asyncio.to_thread(start_worker, database_url)
    await publish(producer, story.told[:half])
    await until(lambda: count_in_ledger(database, story.ids), bool)
    async with SICKNESSES[sickness](database):
        await publish(producer, story.told[half:])
        await until(lambda: _waits(worker), bool)
        assert await witness.letters(story.ids) <= story.dead
    assert worker.poll() is None

    await witness.check(story)


async def test_sessions_are_ended_again_and_again(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """pg_terminate_backend a hundred times under load: each batch is done wholly, and once."""
    story = make_story(chance, events=1800)
    worker = await asyncio.to_thread(start_worker, database_url)
    publishing = asyncio.create_task(publish(producer, story.told))
    for _ in range(100):
        await end_sessions(database)
        await asyncio.sleep(chance.uniform(0, 0.1))
    await publishing

    await witness.check(story)
    assert worker.poll() is None


async def _waits(worker: Process) -> bool:
    return "waiting_in_place" in worker.log_tail(20)
