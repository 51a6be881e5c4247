"""Measure how far behind the partitions are: records and age, each told by its owner alone."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

    from schema.ops.metrics import WorkerMetrics
    from workers.commit import Control

    Record = ConsumerRecord[Any, Any]
    Found = Mapping[TopicPartition, Sequence[Record]]

ASK_AFTER_S: Final = 2.0
"""A batch that takes longer keeps the consumer from hearing how much more there is: Kafka is
asked."""
KAFKA_TIMEOUT_S: Final = 0.5
"""It is better to tell of the other partitions than to wait longer for one."""


class _Flight(NamedTuple):
    """A partition's part of a batch that is not applied yet."""

    first: int
    first_s: float
    """When ingest accepted the first record."""
    last: int
    last_s: float


class Lag:
    """Knows which records are handed over and not applied, and tells of those still to come."""

    def __init__(self, control: Control, metrics: WorkerMetrics) -> None:
        self._control = control
        self._gauges = (metrics.lag_records, metrics.lag_seconds)
        self._flights: dict[TopicPartition, _Flight] = {}
        self._taken_s = 0.0
        self._behind_s: dict[TopicPartition, float] = {}
        """Partition -> how old the oldest record is that waits in Kafka, as far as is known."""
        self._shown: set[TopicPartition] = set()

    def take(self, found: Found) -> None:
        """Note that these are handed over, and nothing else is any more."""
        self._taken_s = time.monotonic()
        self._flights = {
            place: _Flight(
                records[0].offset,
                records[0].timestamp / 1000,
                records[-1].offset,
                records[-1].timestamp / 1000,
            )
            for place, records in found.items()
            if records
        }

    def land(self) -> None:
        """Note that what was handed over is applied."""
        consumer = self._control.consumer
        for place, flight in self._flights.items():
            end = _highwater(consumer, place) if consumer else None
            if end is not None and end > flight.last + 1:
                # What follows has been there, and is hardly younger.
                self._behind_s[place] = flight.last_s
            else:
                self._behind_s.pop(place, None)
        self._flights = {}

    async def measure(self) -> None:
        """Show what is ours, and no longer what is not."""
        consumer = self._control.consumer
        owned = consumer.assignment() if consumer else frozenset[TopicPartition]()
        for place in self._shown - owned:
            for gauge in self._gauges:
                gauge.remove(place.topic, str(place.partition))
            self._behind_s.pop(place, None)
        self._shown &= owned
        if consumer is None:
            return
        ends = await self._find_ends(consumer, owned)
        for place in owned:
            position = await self._find_position(consumer, place)
            # It may have been taken away meanwhile.
            if position is not None and place in ends and place in consumer.assignment():
                self._show(place, max(ends[place] - position, 0))

    def _show(self, place: TopicPartition, records: int) -> None:
        now_s = time.time()
        flight = self._flights.get(place)
        if not records:
            self._behind_s.pop(place, None)
        since_s = flight.first_s if flight else self._behind_s.setdefault(place, now_s)
        age_s = max(now_s - since_s, 0.0) if records else 0.0
        for gauge, value in zip(self._gauges, (records, age_s), strict=True):
            gauge.labels(place.topic, str(place.partition)).set(value)
        self._shown.add(place)

    async def _find_ends(
        self, consumer: AIOKafkaConsumer, owned: Collection[TopicPartition]
    ) -> Mapping[TopicPartition, int]:
        if self._flights and time.monotonic() - self._taken_s > ASK_AFTER_S:
            with contextlib.suppress(KafkaError, TimeoutError):
                async with asyncio.timeout(KAFKA_TIMEOUT_S):
                    told: Mapping[TopicPartition, int] = await consumer.end_offsets(owned)
                    return told
        ends = {place: _highwater(consumer, place) for place in owned}
        return {place: end for place, end in ends.items() if end is not None}

    async def _find_position(self, consumer: AIOKafkaConsumer, place: TopicPartition) -> int | None:
        """Return the first offset that is not applied."""
        if flight := self._flights.get(place):
            return flight.first
        with contextlib.suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(KAFKA_TIMEOUT_S):
                return int(await consumer.position(place))
        return None


def _highwater(consumer: AIOKafkaConsumer, place: TopicPartition) -> int | None:
    return consumer.highwater(place) if place in consumer.assignment() else None
