"""Spans: what Kafka has of each partition."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aiokafka import TopicPartition

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient


class Span(NamedTuple):
    """What Kafka has of a partition."""

    start: int
    end: int
    """After the last of its records."""


async def list_places(admin: AIOKafkaAdminClient, topics: Iterable[str]) -> list[TopicPartition]:
    """Return the partitions of these topics. Raises KafkaError."""
    return [
        TopicPartition(topic["topic"], each["partition"])
        for topic in await admin.describe_topics(list(topics))
        for each in topic["partitions"]
    ]


async def read_spans(
    consumer: AIOKafkaConsumer, places: Iterable[TopicPartition]
) -> dict[TopicPartition, Span]:
    """Return what Kafka has of these partitions. Raises KafkaError."""
    listed = list(places)
    starts = await consumer.beginning_offsets(listed)
    ends = await consumer.end_offsets(listed)
    return {place: Span(starts[place], ends[place]) for place in listed}
