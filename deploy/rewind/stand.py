"""Stand: look how far tables, groups and topics are, each for itself."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import GroupCoordinatorNotAvailableError
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from deploy.groups import READS, Group, read_group
from deploy.letters.desk import PATIENCE_S
from deploy.spans import list_places, read_spans
from schema.kafka.topics import CHANGES
from schema.postgres.statements import read_statements
from workers.relay.resume import find_greatest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg
    from aiokafka import AIOKafkaConsumer
    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.spans import Span

    Connection = asyncpg.Connection[asyncpg.Record]

SLACK: Final = timedelta(minutes=1)
"""PostgreSQL's clock and the workers', who date what they postpone, may differ by so much."""

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Tables:
    """What the database knows."""

    applied: Mapping[TopicPartition, int]
    indexed: Mapping[TopicPartition, int]
    """How far the dead-letter topics are indexed."""
    head: int
    """The position of the newest change."""
    retrying_since: datetime | None
    """Since when the oldest event waits in a retry topic; None where none does."""


@dataclass(frozen=True, kw_only=True)
class Topics:
    """What Kafka knows."""

    groups: Mapping[str, Group]
    spans: Mapping[TopicPartition, Span]
    """Of everything that a group reads."""
    published: int
    """The greatest position on the change topics, or 0."""


async def read_tables(connection: Connection) -> Tables:
    """Return how far the tables are. Raises what the driver raises."""
    return Tables(
        applied=await read_applied(connection),
        indexed=await _read_offsets(connection, "list_indexed"),
        head=await connection.fetchval(_SQL["read_head"]),
        retrying_since=await connection.fetchval(_SQL["find_oldest_retry"]),
    )


async def read_applied(connection: Connection) -> dict[TopicPartition, int]:
    """Return how far each partition is applied. Raises what the driver raises."""
    return await _read_offsets(connection, "list_applied")


async def _read_offsets(connection: Connection, statement: str) -> dict[TopicPartition, int]:
    rows = await connection.fetch(_SQL[statement])
    return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def count_lost_letters(
    connection: Connection, ends: Mapping[TopicPartition, int]
) -> dict[str, int]:
    """Return how many letters of the index lie behind these ends, by state."""
    rows = await connection.fetch(_SQL["count_lost_letters"], *as_columns(ends))
    return {row["state"]: row["letters"] for row in rows}


def as_columns(offsets: Mapping[TopicPartition, int]) -> tuple[list[str], list[int], list[int]]:
    """Return topics, partitions and offsets, as statements take them."""
    topics, partitions = [p.topic for p in offsets], [p.partition for p in offsets]
    return topics, partitions, list(offsets.values())


async def read_topics(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, connection: Mapping[str, Any]
) -> Topics:
    """Return how far groups and topics are; `connection` is how clients connect.

    Raises KafkaError.
    """
    groups = {name: await _read_group(admin, name) for name in READS}
    read = await list_places(admin, (topic.name for topics in READS.values() for topic in topics))
    return Topics(
        groups=groups,
        spans=await read_spans(consumer, read),
        published=await find_greatest(
            connection, await list_places(admin, (topic.name for topic in CHANGES))
        ),
    )


@retry(
    retry=retry_if_exception_type(GroupCoordinatorNotAvailableError),  # nobody has asked before
    stop=stop_after_delay(PATIENCE_S),
    wait=wait_fixed(0.2),
    reraise=True,
)
async def _read_group(admin: AIOKafkaAdminClient, name: str) -> Group:
    return await read_group(admin, name)


async def find_since(
    consumer: AIOKafkaConsumer, spans: Mapping[TopicPartition, Span], since: datetime
) -> dict[TopicPartition, int]:
    """Return the first record of each partition that is as young, or where it ends."""
    since_ms = int((since - SLACK).timestamp() * 1000)
    found = await consumer.offsets_for_times(dict.fromkeys(spans, since_ms))
    return {place: at.offset if (at := found.get(place)) else spans[place].end for place in spans}
