"""Put a record aside, byte for byte: for a while in a retry topic, for good in a dead-letter topic.

The offset of the record is committed only after it is stored there.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from schema.kafka.headers import (
    Failure,
    Origin,
    read_origin,
    without_failure,
    write_failure_headers,
)
from schema.kafka.producer import BrokerUnavailableError, Producer, Record
from schema.kafka.topics import GROUP, RETRY_DELAYS, SOURCES, dead_letter_topic, retry_topic
from workers.classify import NotNowError

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

TIERS: Final = tuple(RETRY_DELAYS)
"""The tiers of retry topics, in their order."""

_SOURCES: Final = {source.name: source for source in SOURCES} | {
    retry_topic(source, tier).name: source for source in SOURCES for tier in TIERS
}
"""Topic that workers read -> the topic its records first came from."""


async def park(producer: Producer, record: ConsumerRecord[Any, Any], failure: Failure) -> None:
    """Store the dead letter of `record`. Raises NotNowError while Kafka does not take it."""
    topic = dead_letter_topic(_SOURCES[record.topic]).name
    await _put_aside(producer, record, failure, topic=topic)


async def postpone(producer: Producer, record: ConsumerRecord[Any, Any], failure: Failure) -> None:
    """Store `record` in the tier that its attempt has come to. Raises as `park` does."""
    tier = TIERS[failure.attempt - 1]
    topic = retry_topic(_SOURCES[record.topic], tier).name
    await _put_aside(producer, record, failure, topic=topic)


def due_after(attempt: int) -> datetime:
    """Return when a record is due again that has failed for the `attempt`th time just now."""
    return datetime.now(UTC) + timedelta(seconds=RETRY_DELAYS[TIERS[attempt - 1]])


async def _put_aside(
    producer: Producer, record: ConsumerRecord[Any, Any], failure: Failure, *, topic: str
) -> None:
    origin = read_origin(record.headers) or _origin(record)
    headers = without_failure(record.headers) + write_failure_headers(failure, origin)
    try:
        await producer.send(
            Record(topic=topic, key=record.key, value=record.value, headers=headers)
        )
    except BrokerUnavailableError as error:
        raise NotNowError("the topic for what failed does not take records") from error


def _origin(record: ConsumerRecord[Any, Any]) -> Origin:
    return Origin(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        group=GROUP,
        first_failed_at=datetime.now(UTC),
    )
