"""A group whose offsets are beyond what is applied: the worker turns back by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import RecordsToDelete

from deploy.stack.ports import free_port
from deploy.topics import connected_admin
from schema.kafka.topics import GROUP
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]

PLACE: Final = TopicPartition("clerk.user-events", 3)


@pytest.fixture
def settings(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> WorkerSettings:
    """A worker's, with a database of its own."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    return WorkerSettings()


async def _publish(producer: AIOKafkaProducer, number: int) -> list[str]:
    ids = [new_event_id() for _ in range(number)]
    for event_id in ids:
        user_id = new_user_id()
        await producer.send_and_wait(
            PLACE.topic,
            user_event(user_id, at=0),
            key=user_id.encode(),
            partition=PLACE.partition,
            headers=inbound_headers(event_id, subject=user_id),
        )
    return ids


async def _set_forward(bootstrap_servers: str) -> int:
    """Do what one should not: let the group go on behind all that there is."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=GROUP, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([PLACE])
        ends = await consumer.end_offsets([PLACE])
        await consumer.commit(ends)
    finally:
        await consumer.stop()
    return int(ends[PLACE])


async def _count(database: Database, ids: list[str]) -> int:
    return int(
        await database.fetchval("SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", ids)
    )


async def test_what_was_skipped_is_read(
    settings: WorkerSettings,
    producer: AIOKafkaProducer,
    database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nobody has to do anything, and nothing counts as skipped."""
    async with running_worker(settings):
        known = await _publish(producer, 3)
        await until(lambda: _count(database, known), lambda number: number == 3)
    known += await _publish(producer, 4)
    await _set_forward(settings.kafka_bootstrap_servers)
    async with running_worker(settings):
        known += await _publish(producer, 2)
        await until(lambda: _count(database, known), lambda number: number == 9)
    said = capsys.readouterr().out

    assert "turned_back" in said
    assert "offsets_skipped" not in said


async def test_what_kafka_has_no_more_is_counted_once(
    settings: WorkerSettings,
    producer: AIOKafkaProducer,
    database: Database,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The line goes on behind it."""
    async with running_worker(settings):
        known = await _publish(producer, 3)
        await until(lambda: _count(database, known), lambda number: number == 3)
    lost = await _publish(producer, 4)
    end = await _set_forward(settings.kafka_bootstrap_servers)
    async with connected_admin({"bootstrap_servers": settings.kafka_bootstrap_servers}) as admin:
        await admin.delete_records({PLACE: RecordsToDelete(end - 1)})
    async with running_worker(settings):
        known += await _publish(producer, 2)
        await until(lambda: _count(database, known), lambda number: number == 5)
    said = capsys.readouterr().out

    assert said.count("turned_back") == 1
    assert said.count("offsets_skipped") == 1
    assert "skipped=3" in said
    assert await _count(database, lost) == 1  # Kafka kept the last of them
