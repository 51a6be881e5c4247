"""Workers come and go under load: partitions change hands, events do not get lost or mixed up."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from tests.chaos.promises import count_in_ledger
from tests.chaos.stories import make_story, publish
from tests.chaos.storm import join_and_leave
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.promises import Witness
    from tests.integration.workers.order.facts import Told

    Database = asyncpg.Connection[asyncpg.Record]
    StartWorker = Callable[..., Process]


async def test_workers_join_and_leave(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """One worker becomes three and one again, politely and by SIGKILL, while events stream in."""
    story = make_story(chance, events=2400)
    publishing = asyncio.create_task(_publish_slowly(producer, story.told))
    workers = [await asyncio.to_thread(start_worker, database_url, "chaos-0")]
    await until(lambda: count_in_ledger(database, story.ids), bool)
    for name in ("chaos-1", "chaos-2"):
        workers.append(await asyncio.to_thread(start_worker, database_url, name))
        await asyncio.sleep(chance.random())
    codes = [await asyncio.to_thread(workers[1].stop)]
    await asyncio.to_thread(workers[2].kill)
    await publishing

    await witness.check(story)
    codes.append(await asyncio.to_thread(workers[0].stop))
    assert codes == [0, 0]


async def test_a_storm_of_rebalances(
    chance: random.Random,
    bootstrap_servers: str,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """Every few hundred ms somebody joins or leaves the group: the real members get on with it."""
    story = make_story(chance, events=1800)
    workers = [await asyncio.to_thread(start_worker, database_url, None) for _ in range(2)]
    publishing = asyncio.create_task(_publish_slowly(producer, story.told))
    await until(lambda: count_in_ledger(database, story.ids), bool)
    await asyncio.gather(*(join_and_leave(bootstrap_servers, chance, times=3) for _ in range(2)))
    await publishing

    await witness.check(story)
    assert [worker.poll() for worker in workers] == [None, None]


async def test_a_zombie(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    witness: Witness,
) -> None:
    """A worker frozen past its session wakes up to a batch that another has done long ago."""
    story = make_story(chance, events=1200)
    zombie = await asyncio.to_thread(start_worker, database_url, None)
    publishing = asyncio.create_task(_publish_slowly(producer, story.told))
    await until(lambda: count_in_ledger(database, story.ids), bool)
    os.kill(zombie.pid, signal.SIGSTOP)
    heir = await asyncio.to_thread(start_worker, database_url, None)
    await publishing
    try:
        # Kafka gives the zombie's partitions away after its session of 10 s; the locks of its
        # transaction PostgreSQL takes away after 10 s, and after 30 s at the latest.
        await until(
            lambda: count_in_ledger(database, story.ids), len(story.told).__eq__, within_s=60
        )
    finally:
        os.kill(zombie.pid, signal.SIGCONT)
    more = make_story(chance, events=600)
    await publish(producer, more.told)

    await witness.check(story)
    await witness.check(more)
    assert [zombie.poll(), heir.poll()] == [None, None]


async def _publish_slowly(producer: AIOKafkaProducer, told: Sequence[Told]) -> None:
    for start in range(0, len(told), 60):
        await publish(producer, told[start : start + 60])
        await asyncio.sleep(0.1)
