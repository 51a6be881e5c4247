"""Fetch Clerk's events from Kafka: from the beginning, in no group, never further than asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka.errors import OffsetOutOfRangeError

from deploy.errors import OperatorError
from deploy.letters.desk import PATIENCE_S, naming_kafka

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

    Record = ConsumerRecord[Any, Any]

CLIENT: Final = "clerkwork-rebuild"
BATCH_SIZE: Final = 1000
"""How many records are applied in one transaction."""


async def fetch_first(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int]
) -> dict[TopicPartition, Record]:
    """Return the first record at or behind each offset, which there must be. Raises KafkaError."""
    found: dict[TopicPartition, Record] = {}
    if not offsets:
        return found
    consumer.assign(list(offsets))
    for place, offset in offsets.items():
        consumer.seek(place, offset)
    async with asyncio.timeout(PATIENCE_S):
        while len(found) < len(offsets):
            batch = await consumer.getmany(timeout_ms=1000, max_records=BATCH_SIZE)
            for place, records in batch.items():
                found.setdefault(place, records[0])
                consumer.pause(place)
    return found


class Tape:
    """The partitions of Clerk's events, read on and on."""

    def __init__(self, consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int]) -> None:
        self._consumer = consumer
        self._next = dict(starts)
        self._assign()

    def left(self, ends: Mapping[TopicPartition, int]) -> int:
        """Return how many offsets lie before `ends` that were not read yet."""
        return sum(max(end - self._next.get(place, 0), 0) for place, end in ends.items())

    async def read_to(self, ends: Mapping[TopicPartition, int]) -> AsyncIterator[list[Record]]:
        """Yield what lies before `ends` and was not read yet, in batches.

        Raises OperatorError when some of it is gone meanwhile, or Kafka hands out nothing.
        """
        self._include(ends)
        while waiting := [place for place, end in ends.items() if self._next[place] < end]:
            self._consumer.resume(*waiting)
            with naming_kafka():
                batch = await self._fetch(waiting)
            records = [
                record
                for place in waiting
                for record in batch.get(place, ())
                if record.offset < ends[place]
            ]
            for place in waiting:
                self._pass(place, batch.get(place, []), ends[place])
            if records:
                yield records

    def _include(self, ends: Mapping[TopicPartition, int]) -> None:
        """Take partitions in that nothing had been applied of before."""
        if new := ends.keys() - self._next.keys():
            self._next |= dict.fromkeys(new, 0)
            self._assign()

    def _assign(self) -> None:
        self._consumer.assign(list(self._next))
        for place, offset in self._next.items():
            self._consumer.seek(place, offset)
        self._consumer.pause(*self._next)

    async def _fetch(self, waiting: list[TopicPartition]) -> dict[TopicPartition, list[Record]]:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    batch: dict[TopicPartition, list[Record]] = await self._consumer.getmany(
                        *waiting, timeout_ms=500, max_records=BATCH_SIZE
                    )
                    if batch:
                        return batch
        except OffsetOutOfRangeError as error:
            raise OperatorError(
                "Kafka has dropped records while they were read: their retention is too short for"
                " a rebuild. Nothing was changed."
            ) from error

    def _pass(self, place: TopicPartition, records: list[Record], end: int) -> None:
        """Note what was read; what was read too far is read again when it is asked for."""
        if not records:
            return
        self._next[place] = min(records[-1].offset + 1, end)
        if self._next[place] >= end:
            self._consumer.seek(place, end)
            self._consumer.pause(place)
