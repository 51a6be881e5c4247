"""Read topics from their beginning to their end of now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from deploy.spans import list_places, read_spans

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.spans import Span

    Records = Sequence[ConsumerRecord[Any, Any]]

PATIENCE_S: Final = 20.0
"""Kafka has to hand on the next records within so long."""


async def find_spans(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, topics: Iterable[str]
) -> dict[TopicPartition, Span]:
    """Return what Kafka has of these topics. Raises KafkaError."""
    return await read_spans(consumer, await list_places(admin, topics))


async def read_records(
    consumer: AIOKafkaConsumer, spans: Mapping[TopicPartition, Span]
) -> AsyncIterator[Records]:
    """Yield the records there, as they come: of each partition in order, a few at a time.

    Raises KafkaError, and TimeoutError when none comes for too long.
    """
    left = {place for place, span in spans.items() if span.start < span.end}
    consumer.assign(list(left))
    for place in left:
        consumer.seek(place, spans[place].start)
    clock = asyncio.get_running_loop().time
    give_up_s = clock() + PATIENCE_S
    while left:
        # Behind the last record may be the end of a transaction, which is handed on to nobody.
        fetched = await consumer.getmany(*left, timeout_ms=100)
        for place, records in fetched.items():
            yield [record for record in records if record.offset < spans[place].end]
        over = {place for place in left if await consumer.position(place) >= spans[place].end}
        consumer.pause(*over)  # or it would go on to fetch what nobody has asked for
        left -= over
        if fetched or over:
            give_up_s = clock() + PATIENCE_S
        elif clock() > give_up_s:
            raise TimeoutError
