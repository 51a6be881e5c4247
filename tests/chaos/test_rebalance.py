"""Workers come and go under load: partitions change hands, events do not get lost or mixed up."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.chaos.history import (
    count_in_ledger,
    expected_users,
    found_users,
    make_history,
    publish_history,
)
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.history import Happening

    Database = asyncpg.Connection[asyncpg.Record]
    StartWorker = Callable[..., Process]


async def test_workers_join_and_leave(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
) -> None:
    """One worker becomes three and one again, politely and by SIGKILL, while events stream in."""
    history = make_history(chance, users=60, events=4000)
    publishing = asyncio.create_task(_publish_slowly(producer, history))
    workers = [await asyncio.to_thread(start_worker, database_url, "chaos-0")]
    await until(lambda: count_in_ledger(database, history), bool)
    for name in ("chaos-1", "chaos-2"):
        workers.append(await asyncio.to_thread(start_worker, database_url, name))
        await asyncio.sleep(chance.random())
    codes = [await asyncio.to_thread(workers[1].stop)]
    await asyncio.to_thread(workers[2].kill)
    await publishing
    await until(lambda: count_in_ledger(database, history), len(history).__eq__, within_s=60)
    codes.append(await asyncio.to_thread(workers[0].stop))

    assert codes == [0, 0]
    assert await found_users(database, history) == expected_users(history)


async def _publish_slowly(producer: AIOKafkaProducer, history: list[Happening]) -> None:
    for start in range(0, len(history), 100):
        await publish_history(producer, history[start : start + 100])
        await asyncio.sleep(0.1)
