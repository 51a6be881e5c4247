"""Park a dead event: keep its record, byte for byte, in the dead-letter topic of its source.

The offset of a dead event is committed only after its letter is stored.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from schema.kafka.headers import Failure, Origin, without, write_failure_headers
from schema.kafka.producer import BrokerUnavailableError, Producer, Record
from schema.kafka.topics import GROUP, SOURCES, dead_letter_topic
from workers.retry import NotNowError

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

_DEAD_LETTER_TOPICS = {source.name: dead_letter_topic(source).name for source in SOURCES}


async def park(producer: Producer, record: ConsumerRecord[Any, Any], failure: Failure) -> None:
    """Store the dead letter of `record`. Raises NotNowError while Kafka does not take it."""
    added = write_failure_headers(failure, _origin(record))
    letter = Record(
        topic=_DEAD_LETTER_TOPICS[record.topic],
        key=record.key,
        value=record.value,
        headers=without(record.headers, added) + added,
    )
    try:
        await producer.send(letter)
    except BrokerUnavailableError as error:
        raise NotNowError("the dead-letter topic does not take records") from error


def _origin(record: ConsumerRecord[Any, Any]) -> Origin:
    return Origin(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        timestamp_ms=record.timestamp,
        group=GROUP,
        first_failed_at=datetime.now(UTC),
    )
