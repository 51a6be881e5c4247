"""Kafka dies under load: whatever was answered 202 is there, and the rest was answered 503."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.stack import Kafka
from deploy.topics import apply_topics, connected_admin
from ingest.app import build_app
from ingest.settings import IngestSettings
from schema.kafka.headers import read_headers
from schema.kafka.topics import USER_EVENTS
from tests.chaos.history import (
    count_in_ledger,
    expected_users,
    found_users,
    make_history,
    publish_history,
)
from tests.factories import ingest_environment, new_event_id, new_user_id, sign, user_event
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    import asyncpg
    from aiohttp import web

    from deploy.stack import Process
    from tests.chaos.history import Happening

    StartWorker = Callable[..., Process]

    Client = TestClient[web.Request, web.Application]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    """A Kafka of this test's own, to be killed."""
    with Kafka(data=tmp_path / "kafka", log=tmp_path / "kafka.log") as kafka:
        yield kafka


@pytest.fixture
async def client(
    kafka: Kafka,
    topics: None,  # noqa: ARG001  # they must be there
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Client]:
    """A client of an ingest on that Kafka."""
    environment = ingest_environment(
        KAFKA_BOOTSTRAP_SERVERS=kafka.bootstrap_servers, INGEST_PUBLISH_TIMEOUT_MS="1000"
    )
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with TestClient(TestServer(build_app(IngestSettings()))) as client:
        await until(lambda: _post(client), lambda answer: answer[0] == 202)
        yield client


@pytest.fixture
async def topics(kafka: Kafka) -> None:
    """Create every topic there."""
    async with connected_admin({"bootstrap_servers": kafka.bootstrap_servers}) as admin:
        await apply_topics(admin)


async def _post(client: Client) -> tuple[int, str]:
    event_id, body = new_event_id(), user_event(new_user_id(), at=0)
    headers = sign(body, event_id=event_id)
    async with client.post("/webhooks/clerk", data=body, headers=headers) as response:
        return response.status, event_id


async def _post_until(client: Client, stop: asyncio.Event) -> list[tuple[int, str]]:
    answers = []
    while not stop.is_set():
        answers.append(await _post(client))
        await asyncio.sleep(0.005)
    return answers


async def _stored_ids(bootstrap_servers: str) -> set[str]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
    await consumer.start()
    try:
        partitions = [TopicPartition(USER_EVENTS.name, n) for n in range(USER_EVENTS.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(partitions)
        ids: set[str] = set()
        while any([await consumer.position(tp) < end for tp, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                ids |= {read_headers(record.headers)["ce_id"] for record in records}
        return ids
    finally:
        await consumer.stop()


async def test_every_accepted_webhook_survives_the_broker(kafka: Kafka, client: Client) -> None:
    """SIGKILL to the broker under load, back after seconds: no 202 was a lie, and 202s resume."""
    stop = asyncio.Event()
    posting = [asyncio.create_task(_post_until(client, stop)) for _ in range(8)]
    await asyncio.sleep(1)
    await asyncio.to_thread(kafka.kill)
    await asyncio.sleep(2)
    await asyncio.to_thread(kafka.start)
    await until(lambda: _post(client), lambda answer: answer[0] == 202, within_s=60)
    stop.set()
    answers = [answer for task in posting for answer in await task]
    accepted = {event_id for status, event_id in answers if status == 202}

    assert {status for status, _ in answers} == {202, 503}
    assert accepted - await _stored_ids(kafka.bootstrap_servers) == set()


@pytest.mark.usefixtures("topics")
async def test_a_worker_survives_the_broker(
    chance: random.Random,
    kafka: Kafka,
    start_worker: StartWorker,
    database: asyncpg.Connection[asyncpg.Record],
    database_url: str,
) -> None:
    """The broker dies under a worker and comes back: the worker goes on by itself, to the end."""
    history = make_history(chance, users=30, events=2000)
    worker = await asyncio.to_thread(
        start_worker, database_url, name=None, kafka=kafka.bootstrap_servers
    )
    await _publish(kafka, history[:1000])
    await until(lambda: count_in_ledger(database, history), bool)
    await asyncio.to_thread(kafka.kill)
    await asyncio.sleep(2)
    await asyncio.to_thread(kafka.start)
    await _publish(kafka, history[1000:])
    await until(lambda: count_in_ledger(database, history), len(history).__eq__, within_s=90)

    assert worker.poll() is None
    assert await found_users(database, history) == expected_users(history)


async def _publish(kafka: Kafka, history: list[Happening]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers) as producer:
        await publish_history(producer, history)
