"""Resume where the last relay ended: the change topics themselves know best.

Every transaction holds a run of positions without a gap, and is there as a whole or not at all:
all up to the greatest position on the topics is there, and nothing beyond it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from schema.kafka.headers import read_position
from schema.kafka.topics import CHANGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workers.relay.publish import Publisher

    Offsets = Mapping[TopicPartition, int]

FIRST_STEP: Final = 16
"""So many offsets at the end of a partition are looked at first; then eight times as many."""


async def find_published(connection: Mapping[str, Any], publisher: Publisher) -> int:
    """Return the greatest position on the change topics, or 0.

    `publisher` is the only one who can write there, so that nothing is added meanwhile. Raises
    KafkaError when Kafka is not there or has not got the topics; the caller limits the time that
    it takes.
    """
    partitions = [
        TopicPartition(topic.name, number)
        for topic in CHANGES
        for number in await publisher.list_partitions(topic.name)
    ]
    return await find_greatest(connection, partitions)


async def find_greatest(connection: Mapping[str, Any], partitions: list[TopicPartition]) -> int:
    """Return the greatest position on these partitions now, or 0. Raises KafkaError."""
    consumer = AIOKafkaConsumer(
        **connection,
        client_id="clerkwork-relay",
        enable_auto_commit=False,
        isolation_level="read_committed",
        fetch_max_wait_ms=100,
    )
    try:
        await consumer.start()
        return await _find(consumer, partitions)
    finally:
        await consumer.stop()


async def _find(consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> int:
    """Look at the ends, further back where there are only markers and what was given up."""
    starts = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    step, found = FIRST_STEP, 0
    silent = {each for each in partitions if ends[each] > starts[each]}
    while silent:
        begins = {each: max(starts[each], ends[each] - step) for each in silent}
        latest = await _read(consumer, begins, ends)
        found = max([found, *latest.values()])
        silent = {each for each in silent - latest.keys() if begins[each] > starts[each]}
        step *= 8
    return found


async def _read(consumer: AIOKafkaConsumer, begins: Offsets, ends: Offsets) -> Offsets:
    """Return the greatest position of each partition between two offsets, where there is one."""
    consumer.assign(list(begins))
    for partition, offset in begins.items():
        consumer.seek(partition, offset)
    latest: dict[TopicPartition, int] = {}
    while any([await consumer.position(each) < ends[each] for each in begins]):
        for partition, records in (await consumer.getmany(timeout_ms=100)).items():
            for record in records:
                position = read_position(record.headers)
                if position is not None:
                    latest[partition] = max(position, latest.get(partition, 0))
    return latest
