"""Audit the walk: every record that workers have passed is in the ledger, or something was lost.

Kafka says what was accepted and how far it was consumed, the ledger what was dealt with. Only keys
of the two are compared: headers and ids, no payload.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.database import connected, refusing_in_words
from deploy.letters.desk import DeskSettings, naming_kafka, reading
from deploy.topics import connected_admin
from schema.kafka.connections import connection_arguments
from schema.kafka.topics import GROUP, SOURCES
from schema.ops.settings import read_settings
from schema.postgres.statements import read_statements
from workers.decode import read_event_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import asyncpg
    from aiokafka import ConsumerRecord
    from rich.console import Console

    Records = Sequence[ConsumerRecord[Any, Any]]

_SQL: Final = read_statements(__file__)
_PATIENCE_S: Final = 10.0
"""Kafka has to hand on the next records within so long."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """A record that was passed and is not in the ledger."""

    event_id: str
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, kw_only=True)
class Audited:
    """What was found."""

    checked: int
    waiting: int
    """Records that workers have yet to consume."""
    missing: tuple[Missing, ...]


async def audit(settings: DeskSettings, *, hours: float) -> Audited:
    """Compare what was accepted in the last hours and consumed since with the ledger.

    Raises KafkaError, and what the database driver raises.
    """
    checked, missing = 0, list[Missing]()
    url = settings.database_url.get_secret_value()
    async with reading(settings) as consumer, connected(url, name="clerkwork-audit") as database:
        ends = await _read_ends(consumer, connection_arguments(settings))
        since_ms = int((time.time() - hours * 3600) * 1000)
        starts = await _read_starts(consumer, ends, since_ms=since_ms)
        async for records in _read(consumer, starts=starts, ends=ends):
            missing += await _compare(database, records)
            checked += len(records)
        latest = await consumer.end_offsets(list(ends))
    waiting = sum(latest[place] - end for place, end in ends.items())
    return Audited(checked=checked, waiting=waiting, missing=tuple(missing))


async def _read_ends(
    consumer: AIOKafkaConsumer, arguments: Mapping[str, Any]
) -> dict[TopicPartition, int]:
    """Return how far the workers have come; the beginning where they have not begun."""
    async with connected_admin(arguments) as admin:
        committed = await admin.list_consumer_group_offsets(GROUP)
        topics = await admin.describe_topics([topic.name for topic in SOURCES])
    begun = {
        TopicPartition(place.topic, place.partition): held.offset
        for place, held in committed.items()
        if held.offset >= 0
    }
    ends = {
        place: begun.get(place)
        for topic in topics
        for each in topic["partitions"]
        if (place := TopicPartition(topic["topic"], each["partition"]))
    }
    untouched = [place for place, end in ends.items() if end is None]
    starts = await consumer.beginning_offsets(untouched) if untouched else {}
    return {place: starts[place] if end is None else end for place, end in ends.items()}


async def _read_starts(
    consumer: AIOKafkaConsumer, ends: Mapping[TopicPartition, int], *, since_ms: int
) -> dict[TopicPartition, int]:
    if not ends:
        return {}
    found = await consumer.offsets_for_times(dict.fromkeys(ends, since_ms))
    return {place: at.offset if (at := found.get(place)) else end for place, end in ends.items()}


async def _read(
    consumer: AIOKafkaConsumer,
    *,
    starts: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
) -> AsyncIterator[Records]:
    """Yield the records between the two, as they come."""
    left = {place for place, start in starts.items() if start < ends[place]}
    consumer.assign(list(left))
    for place in left:
        consumer.seek(place, starts[place])
    while left:
        async with asyncio.timeout(_PATIENCE_S):
            fetched = await consumer.getmany(timeout_ms=1000)
        for place, records in fetched.items():
            yield [record for record in records if record.offset < ends[place]]
        left = {place for place in left if await consumer.position(place) < ends[place]}


async def _compare(database: asyncpg.Connection[asyncpg.Record], records: Records) -> list[Missing]:
    by_id = {read_event_id(record): record for record in records}
    rows = await database.fetch(_SQL["find_missing"], list(by_id))
    return [
        Missing(
            event_id=row["event_id"],
            topic=by_id[row["event_id"]].topic,
            partition=by_id[row["event_id"]].partition,
            offset=by_id[row["event_id"]].offset,
        )
        for row in rows
    ]


def run_audit(console: Console, *, hours: float) -> int:
    """Audit the environment's Kafka and database, say what was found; 1 when something is missing.

    Raises OperatorError, and SystemExit when the environment is not valid.
    """
    settings = read_settings(DeskSettings)
    with refusing_in_words(), naming_kafka():
        found = asyncio.run(audit(settings, hours=hours))
    for each in found.missing:
        place = f"{each.topic}/{each.partition}/{each.offset}"
        console.print(f"{each.event_id} at {place} was consumed and is not in the ledger.")
    console.print(
        f"{found.checked} records checked, {len(found.missing)} missing;"
        f" {found.waiting} wait to be consumed."
    )
    return 1 if found.missing else 0
