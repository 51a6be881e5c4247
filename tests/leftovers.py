"""Leave to a file's tests no record of other files: which of them came before is chance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.groups import READS
from schema.kafka.topics import SOURCES
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg


async def skip_leftovers(bootstrap_servers: str) -> None:
    """Have workers that start from now on begin with what is published from now on."""
    for group, topics in READS.items():
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            places = [
                TopicPartition(topic.name, number)
                for topic in topics
                for number in range(topic.partitions)
            ]
            consumer.assign(places)
            ends = await consumer.end_offsets(places)
            if any(ends.values()):
                # A worker that was killed is a member for a while yet.
                await until(partial(_commit, consumer, ends), bool)
        finally:
            await consumer.stop()


async def note_leftovers(
    bootstrap_servers: str, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """Have a new database know that they are applied, as that of who left them does."""
    places = [TopicPartition(topic.name, n) for topic in SOURCES for n in range(topic.partitions)]
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        ends = await consumer.end_offsets(places)
    await database.executemany(
        "INSERT INTO applied_offsets VALUES ($1, $2, $3, now())",
        [(*place, end) for place, end in ends.items() if end],
    )


async def _commit(consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int]) -> bool:
    try:
        await consumer.commit(ends)
    except KafkaError:
        return False
    return True
