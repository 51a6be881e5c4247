"""Every connection to Kafka is lost at once, again and again: a worker's commits go on.

This is what a broker that is killed does to its clients, only more often.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.chaos.stories import make_story, publish
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from tests.chaos.promises import Witness
    from tests.chaos.troupe import Arena

    StartWorker = Callable[..., Process]

HEARTBEAT_S = 3.0


async def test_commits_go_on(
    arena: Arena,
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database_url: str,
    witness: Witness,
) -> None:
    """After twenty losses and a refusal beyond a heartbeat, offsets are committed to the end."""
    story = make_story(chance, events=600)
    worker = await asyncio.to_thread(start_worker, database_url)
    await publish(producer, story.told[:300])
    for _ in range(20):
        arena.to_kafka.crash(chance)
        await asyncio.sleep(chance.uniform(0.1, 0.2))
    # Long enough for a heartbeat to fail: the coordinator has to be searched for again.
    arena.to_kafka.refuse()
    await asyncio.sleep(HEARTBEAT_S + 1)
    arena.to_kafka.heal()
    await publish(producer, story.told[300:])

    await witness.check(story)
    await until(witness.lag, (0).__eq__)
    assert worker.poll() is None
