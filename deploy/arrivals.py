"""What has arrived from Clerk: records of its webhooks, told from all that is our own.

On the same topics are snapshots, canaries, and what `clerkwork send` makes up.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition

from schema.kafka.changes import is_canary
from schema.kafka.headers import SOURCE, read_headers
from schema.kafka.topics import CLERK_EVENTS, UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import AIOKafkaConsumer, ConsumerRecord

TAIL: Final = 200
"""How many of each partition's latest records are looked through for Clerk's."""

_OURS: Final = re.compile(r"msg_[0-9a-f]{24}")
"""The ids that our own samples have; Svix's have 27 characters of more kinds."""

PLACES: Final = [
    TopicPartition(topic.name, number)
    for topic in (*CLERK_EVENTS, UNREADABLE)
    for number in range(topic.partitions)
]
"""Where webhooks go, as ingest puts them."""


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A webhook that ingest has taken: its signature was right."""

    event_id: str
    """The svix-id."""
    type: str
    user_id: str | None
    """The clerk user id, where the event belongs to a user."""
    instance_id: str | None
    """The Clerk instance that it names."""
    stored_ms: int
    """When Kafka had it, in milliseconds since 1970."""
    fault: str | None
    """Why it is in quarantine; None where it is not."""
    occurred_ms: int | None = None
    """When it happened, as Clerk's clock has it; in milliseconds since 1970."""

    @property
    def took_s(self) -> float | None:
        """How long it took from Clerk to Kafka, if known; less than 0 where clocks differ."""
        return None if self.occurred_ms is None else (self.stored_ms - self.occurred_ms) / 1000

    @property
    def age_s(self) -> float:
        """How long ago that was."""
        return max(0.0, time.time() - self.stored_ms / 1000)


def read_arrival(record: ConsumerRecord[Any, Any]) -> Arrival | None:
    """Return the arrival that a record is, None where it is one of our own."""
    headers = read_headers(record.headers)
    event_id, source = headers.get("ce_id", ""), headers.get("ce_source", SOURCE)
    user_id = headers.get("ce_subject")
    looked_up = source.startswith("clerkwork/") and source != SOURCE
    if looked_up or _OURS.fullmatch(event_id) or (user_id and is_canary(user_id)):
        return None
    return Arrival(
        event_id=event_id,
        type=headers.get("ce_type", "unknown"),
        user_id=user_id,
        instance_id=None if source == SOURCE else source,
        stored_ms=record.timestamp,
        fault=headers.get("x-error-code") if record.topic == UNREADABLE.name else None,
        occurred_ms=_read_time(headers.get("ce_time")),
    )


def _read_time(text: str | None) -> int | None:
    try:
        return round(datetime.fromisoformat(text or "").timestamp() * 1000)
    except (ValueError, OverflowError):
        return None


async def find_latest(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], *, tail: int = TAIL
) -> Arrival | None:
    """Return the latest arrival among the last `tail` records before each end.

    Raises KafkaError.
    """
    starts = await consumer.beginning_offsets(PLACES)
    begin = {place: max(starts[place], end - tail) for place, end in ends.items()}
    left = {place for place, at in begin.items() if at < ends[place]}
    consumer.assign(list(left))
    for place in left:
        consumer.seek(place, begin[place])
    latest: Arrival | None = None
    while left:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            arrivals = [arrival for each in records if (arrival := read_arrival(each))]
            latest = max([*arrivals, *([latest] if latest else [])], key=_stored, default=None)
        left = {place for place in left if await consumer.position(place) < ends[place]}
    return latest


def _stored(arrival: Arrival) -> int:
    return arrival.stored_ms
