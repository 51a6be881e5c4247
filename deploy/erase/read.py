"""Read topics from their beginning to their end of now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord
    from aiokafka.admin import AIOKafkaAdminClient

    Records = Sequence[ConsumerRecord[Any, Any]]

PATIENCE_S: Final = 20.0
"""Kafka has to hand on the next records within so long."""


class Extent(NamedTuple):
    """What a partition holds."""

    begins: int
    ends: int


async def find_extents(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, topics: Iterable[str]
) -> dict[TopicPartition, Extent]:
    """Return what each partition of these topics holds. Raises KafkaError."""
    described = await admin.describe_topics(list(topics))
    places = [
        TopicPartition(topic["topic"], each["partition"])
        for topic in described
        for each in topic["partitions"]
    ]
    begins = await consumer.beginning_offsets(places)
    ends = await consumer.end_offsets(places)
    return {place: Extent(begins[place], ends[place]) for place in places}


async def read_records(
    consumer: AIOKafkaConsumer, extents: Mapping[TopicPartition, Extent]
) -> AsyncIterator[Records]:
    """Yield the records there, as they come: of each partition in order, a few at a time.

    Raises KafkaError, and TimeoutError when none comes for too long.
    """
    left = {place for place, extent in extents.items() if extent.begins < extent.ends}
    consumer.assign(list(left))
    for place in left:
        consumer.seek(place, extents[place].begins)
    clock = asyncio.get_running_loop().time
    give_up_s = clock() + PATIENCE_S
    while left:
        # Behind the last record may be the end of a transaction, which is handed on to nobody.
        fetched = await consumer.getmany(*left, timeout_ms=100)
        for place, records in fetched.items():
            yield [record for record in records if record.offset < extents[place].ends]
        over = {place for place in left if await consumer.position(place) >= extents[place].ends}
        consumer.pause(*over)  # or it would go on to fetch what nobody has asked for
        left -= over
        if fetched or over:
            give_up_s = clock() + PATIENCE_S
        elif clock() > give_up_s:
            raise TimeoutError
