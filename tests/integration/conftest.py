"""A way to look into topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from schema.kafka.topics import TOPICS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    ReadTopic = Callable[[str], Awaitable[list[ConsumerRecord[Any, Any]]]]


PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}


@pytest.fixture
def read_topic(bootstrap_servers: str) -> ReadTopic:
    """Read everything a topic holds now."""

    async def read(topic: str) -> list[ConsumerRecord[Any, Any]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS[topic])]
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            records: list[ConsumerRecord[Any, Any]] = []
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                fetched = await consumer.getmany(timeout_ms=200)
                records += [record for batch in fetched.values() for record in batch]
            return records
        finally:
            await consumer.stop()

    return read


@pytest.fixture
async def producer(bootstrap_servers: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer, to put records where ingest would."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
    await producer.start()
    yield producer
    await producer.stop()
