"""Fetch dead letters from Kafka by their places, in ranges."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from deploy.errors import OperatorError
from deploy.letters.desk import PATIENCE_S, naming_kafka
from deploy.letters.select import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    Record = ConsumerRecord[Any, Any]

SKIP_FROM: Final = 1000
"""More records than that between two letters are not read but skipped."""

POLL_MS: Final = 1000
MOST_EMPTY_POLLS: Final = 20


async def fetch_letters(
    consumer: AIOKafkaConsumer, places: Iterable[Place]
) -> Mapping[Place, Record]:
    """Return the records at these places; those that Kafka has no longer are left out.

    Raises OperatorError when Kafka does not answer.
    """
    offsets: dict[TopicPartition, list[int]] = defaultdict(list)
    for place in places:
        offsets[TopicPartition(place.topic, place.partition)].append(place.offset)
    found: dict[Place, Record] = {}
    for partition, wanted in offsets.items():
        with naming_kafka():
            found |= await _fetch_partition(consumer, partition, sorted(wanted))
    return found


async def find_beginnings(
    consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]
) -> Mapping[TopicPartition, int]:
    """Return the first offset that each partition still has. Raises OperatorError."""
    with naming_kafka():
        async with asyncio.timeout(PATIENCE_S):  # a partition that is not there is waited for
            found: dict[TopicPartition, int] = await consumer.beginning_offsets(list(partitions))
            return found


async def _fetch_partition(
    consumer: AIOKafkaConsumer, partition: TopicPartition, wanted: list[int]
) -> dict[Place, Record]:
    consumer.assign([partition])
    wanted = await _still_there(consumer, partition, wanted)
    found: dict[Place, Record] = {}
    position, empty = -1, 0
    while wanted:
        if not position <= wanted[0] < position + SKIP_FROM:
            consumer.seek(partition, wanted[0])
        batch = await consumer.getmany(partition, timeout_ms=POLL_MS)
        records = batch.get(partition, [])
        if not records:
            empty += 1
            if empty == MOST_EMPTY_POLLS:
                raise OperatorError(f"Kafka does not hand out {partition.topic}. Try again later.")
            wanted = await _still_there(consumer, partition, wanted)
            continue
        asked = set(wanted)
        found |= {_place(record): record for record in records if record.offset in asked}
        position, empty = records[-1].offset + 1, 0
        wanted = [offset for offset in wanted if offset >= position]
    return found


def _place(record: Record) -> Place:
    return Place(record.topic, record.partition, record.offset)


async def _still_there(
    consumer: AIOKafkaConsumer, partition: TopicPartition, wanted: list[int]
) -> list[int]:
    """Return the offsets that are neither past their retention nor beyond the end."""
    first = (await find_beginnings(consumer, [partition]))[partition]
    end = (await consumer.end_offsets([partition]))[partition]
    return [offset for offset in wanted if first <= offset < end]
