"""Make room in a dead-letter partition: others' letters go to its end before it is cut.

Every letter that still waits is stored again, byte for byte and with its time, before the first
record goes; a crash in between leaves a letter twice, which the next run sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from deploy.erase.read import read_records
from deploy.letters.operate import new_id, who, write_selection
from deploy.spans import Span
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg
    from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

    from deploy.erase.trails import Trail

    Connection = asyncpg.Connection[asyncpg.Record]
    Records = Sequence[ConsumerRecord[Any, Any]]

_SQL: Final = read_statements(__file__)


async def find_obstacles(connection: Connection, trail: Trail) -> list[str]:
    """Return the letters that somebody has to deal with before the partition can be cut."""
    topic, partition = trail.place
    rows = await connection.fetch(_SQL["find_obstacles"], topic, partition, trail.end, trail.others)
    return [f"{topic}/{partition}/{row['offset']}" for row in rows]


async def give_up(connection: Connection, trail: Trail, *, clerk_id: str) -> None:
    """Mark the person's own letters as purged, in one statement with the audit."""
    selection = write_selection({"erase": clerk_id, "topic": trail.place.topic})
    await connection.execute(_SQL["give_up"], *trail.place, trail.own, new_id(), who(), selection)


async def carry(
    connection: Connection, consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, trail: Trail
) -> int:
    """Store others' waiting letters again behind the trail, and return how many they were.

    Raises KafkaError, and what the driver raises; what is stored until then is noted.
    """
    carried = 0
    theirs = {*trail.own, *trail.others}
    span = Span(trail.begins, trail.end)
    async for records in read_records(consumer, {trail.place: span}):
        others = [record for record in records if record.offset not in theirs]
        rows = await connection.fetch(
            _SQL["find_done"], *trail.place, [record.offset for record in others]
        )
        done = {row["offset"] for row in rows}
        copied = [row["offset"] for row in rows if row["copied"]]
        await connection.execute(_SQL["forget_copied"], *trail.place, copied)
        waiting = [record for record in others if record.offset not in done]
        stored = await _store(producer, trail.place, waiting)
        await connection.execute(
            _SQL["move_letters"], *trail.place, [record.offset for record in waiting], stored
        )
        carried += len(waiting)
    return carried


async def _store(producer: AIOKafkaProducer, place: TopicPartition, records: Records) -> list[int]:
    """Return where copies are stored, once all of them are. Raises KafkaError."""
    sent = [
        await producer.send(
            place.topic,
            record.value,
            key=record.key,
            partition=place.partition,
            timestamp_ms=record.timestamp,
            headers=[(name, value or b"") for name, value in record.headers],
        )
        for record in records
    ]
    return [(await each).offset for each in sent]
