"""Fetch dead letters from Kafka by their places, in ranges."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from deploy.errors import OperatorError
from deploy.letters.desk import PATIENCE_S, naming_kafka
from deploy.letters.select import Place
from schema.kafka.letters import read_letter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    Record = ConsumerRecord[Any, Any]

SKIP_FROM: Final = 1000
"""More records than that between two letters are not read but skipped."""

ANOTHER_KAFKA: Final = (
    "is not in Kafka what the index says it is. Is KAFKA_BOOTSTRAP_SERVERS that of the workers?"
    " Where the topic was made anew, purge the letters of the old one."
)

POLL_MS: Final = 1000
MOST_EMPTY_POLLS: Final = 20


async def fetch_letters(
    consumer: AIOKafkaConsumer, places: Mapping[Place, str | None]
) -> Mapping[Place, Record]:
    """Return the records at these places; those that Kafka has no longer are left out.

    `places` says the svix-id of each letter as the index has it. Raises OperatorError when Kafka
    does not answer, or is not the one whose letters are in the index.
    """
    offsets: dict[TopicPartition, list[int]] = defaultdict(list)
    for place in places:
        offsets[TopicPartition(place.topic, place.partition)].append(place.offset)
    found: dict[Place, Record] = {}
    for partition, wanted in offsets.items():
        with naming_kafka():
            found |= await _fetch_partition(consumer, partition, wanted=sorted(wanted))
    for place, record in found.items():
        if read_letter(record.headers).event_id != places[place]:
            raise OperatorError(f"{place} {ANOTHER_KAFKA}")
    return found


async def find_beginnings(
    consumer: AIOKafkaConsumer, last: Mapping[TopicPartition, int]
) -> Mapping[TopicPartition, int]:
    """Return the first offset that each partition still has.

    `last` says how far each must reach for the index to be of this Kafka. Raises OperatorError
    when one does not, or does not answer.
    """
    with naming_kafka():
        async with asyncio.timeout(PATIENCE_S):  # a partition that is not there is waited for
            ends: dict[TopicPartition, int] = await consumer.end_offsets(list(last))
            found: dict[TopicPartition, int] = await consumer.beginning_offsets(list(last))
    for partition, offset in last.items():
        if offset >= ends[partition]:
            place = Place(partition.topic, partition.partition, offset)
            raise OperatorError(f"{place} {ANOTHER_KAFKA}")
    return found


async def _fetch_partition(
    consumer: AIOKafkaConsumer, partition: TopicPartition, *, wanted: list[int]
) -> dict[Place, Record]:
    consumer.assign([partition])
    wanted = await _still_there(consumer, partition, wanted=wanted)
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
            wanted = await _still_there(consumer, partition, wanted=wanted)
            continue
        asked = set(wanted)
        found |= {_place(record): record for record in records if record.offset in asked}
        position, empty = records[-1].offset + 1, 0
        wanted = [offset for offset in wanted if offset >= position]
    return found


def _place(record: Record) -> Place:
    return Place(record.topic, record.partition, record.offset)


async def _still_there(
    consumer: AIOKafkaConsumer, partition: TopicPartition, *, wanted: list[int]
) -> list[int]:
    """Return the offsets that are not past their retention."""
    if not wanted:
        return []
    first = (await find_beginnings(consumer, {partition: wanted[-1]}))[partition]
    return [offset for offset in wanted if offset >= first]
