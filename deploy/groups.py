"""Groups of consumers: what workers' read, how Kafka knows them, and since when records wait."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.topics import (
    DEAD_LETTER_TOPICS,
    DESK_GROUP,
    GROUP,
    RETRY_DELAYS,
    SOURCES,
    retry_group,
    retry_topic,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    from schema.kafka.topics import Topic

READS: Final[Mapping[str, Sequence[Topic]]] = {
    GROUP: SOURCES,
    DESK_GROUP: DEAD_LETTER_TOPICS,
    **{
        retry_group(tier): [retry_topic(source, tier) for source in SOURCES]
        for tier in RETRY_DELAYS
    },
}
"""Group -> what it reads, of the groups that a worker has."""

_MEMBERS: Final = 5
"""Where the members are in what aiokafka gives as a group, which is a tuple."""

_POLL_MS: Final = 200


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of consumers."""

    members: int
    committed: Mapping[TopicPartition, int]
    """Where they go on, of each partition where that is noted."""


async def read_group(admin: AIOKafkaAdminClient, name: str) -> Group:
    """Return how a group stands. Raises KafkaError."""
    described: list[Any] = await admin.describe_consumer_groups([name])
    offsets = await admin.list_consumer_group_offsets(name)
    return Group(
        members=len(described[0].groups[0][_MEMBERS]),
        committed={place: at.offset for place, at in offsets.items() if at.offset >= 0},
    )


async def read_times(
    consumer: AIOKafkaConsumer, offsets: Mapping[TopicPartition, int], *, within_s: float
) -> dict[TopicPartition, int]:
    """Return when Kafka had the record at each offset, in ms; of those that come within that time.

    Raises KafkaError.
    """
    consumer.assign(list(offsets))
    for place, offset in offsets.items():
        consumer.seek(place, offset)
    times: dict[TopicPartition, int] = {}
    until_s = time.monotonic() + within_s
    while len(times) < len(offsets) and time.monotonic() < until_s:
        left = [place for place in offsets if place not in times]
        found = await consumer.getmany(*left, timeout_ms=_POLL_MS)
        times |= {place: records[0].timestamp for place, records in found.items() if records}
        # Or it would go on to fetch what nobody has asked for.
        consumer.pause(*(place for place in left if place in times))
    return times
