"""Find the newest events by the clock of Kafka: its index by time is the only one there is.

The ledger is asked for what became of each. So what no worker has come to yet is found, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from schema.kafka.headers import read_headers
from schema.kafka.topics import SOURCES, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

PLACES: Final = [
    TopicPartition(topic.name, number)
    for topic in (*SOURCES, UNREADABLE)
    for number in range(topic.partitions)
]
"""Where events arrive."""

POLL_MS: Final = 300
MOST_EMPTY_POLLS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A record, as its headers tell."""

    event_id: str
    type: str
    user: str
    """The clerk user id, empty where it is about none."""
    stored_ms: int
    """When Kafka had it, in milliseconds since 1970."""
    topic: str
    partition: int
    offset: int
    fault: str
    """Why it is in quarantine; empty where it is not."""

    @property
    def at(self) -> datetime:
        """When Kafka had it."""
        return datetime.fromtimestamp(self.stored_ms / 1000, UTC)


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What arrived last before a moment."""

    arrivals: Sequence[Arrival]
    """All of what arrived from `since_ms` on, the newest first."""
    since_ms: int | None
    """None: there is nothing older."""


async def glance(consumer: AIOKafkaConsumer, *, before_ms: int | None, each: int) -> Glance:
    """Return what arrived last before a moment, of each partition `each` records at most.

    Times are those of the ingest that sent the record: where several clocks differ by a moment,
    so may the order. Raises KafkaError.
    """
    firsts = await consumer.beginning_offsets(PLACES)
    ends = await _find_ends(consumer, before_ms)
    begins = {place: max(firsts[place], ends[place] - each) for place in PLACES}
    records = await _read(consumer, begins, ends)
    cut = _find_cut(records, firsts=firsts, begins=begins)
    if cut is not None and before_ms is not None and cut >= before_ms:
        cut = before_ms - 1  # more of one moment than is read at once: go on all the same
    found = [_read_arrival(record) for record in records if cut is None or record.timestamp >= cut]
    found.sort(key=lambda arrival: (arrival.stored_ms, arrival.event_id), reverse=True)
    return Glance(arrivals=found, since_ms=cut)


async def _find_ends(
    consumer: AIOKafkaConsumer, before_ms: int | None
) -> Mapping[TopicPartition, int]:
    ends: dict[TopicPartition, int] = await consumer.end_offsets(PLACES)
    if before_ms is None:
        return ends
    found = await consumer.offsets_for_times(dict.fromkeys(PLACES, before_ms))
    return {place: at.offset if (at := found.get(place)) else ends[place] for place in PLACES}


async def _read(
    consumer: AIOKafkaConsumer,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> list[ConsumerRecord[Any, Any]]:
    left = {place for place in PLACES if begins[place] < ends[place]}
    consumer.assign(list(left))
    for place in left:
        consumer.seek(place, begins[place])
    records: list[ConsumerRecord[Any, Any]] = []
    empty = 0
    while left and empty < MOST_EMPTY_POLLS:
        fetched = await consumer.getmany(*left, timeout_ms=POLL_MS)
        empty = 0 if fetched else empty + 1
        for place, batch in fetched.items():
            records += [record for record in batch if record.offset < ends[place]]
            if batch[-1].offset + 1 >= ends[place]:
                left.discard(place)
    return records


def _find_cut(
    records: Sequence[ConsumerRecord[Any, Any]],
    *,
    firsts: Mapping[TopicPartition, int],
    begins: Mapping[TopicPartition, int],
) -> int | None:
    """Return since when all is there: before it, a partition may have more than was read of it."""
    oldest: dict[TopicPartition, int] = {}
    for record in records:
        place = TopicPartition(record.topic, record.partition)
        oldest[place] = min(record.timestamp, oldest.get(place, record.timestamp))
    cut = [at + 1 for place, at in oldest.items() if begins[place] > firsts[place]]
    return max(cut, default=None)


def _read_arrival(record: ConsumerRecord[Any, Any]) -> Arrival:
    headers = read_headers(record.headers)
    place = f"{record.topic}-{record.partition}-{record.offset}"
    return Arrival(
        event_id=headers.get("ce_id", place),
        type=headers.get("ce_type", "unknown"),
        user=headers.get("ce_subject", ""),
        stored_ms=record.timestamp,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        fault=headers.get("x-error-code", "unreadable") if record.topic == UNREADABLE.name else "",
    )
