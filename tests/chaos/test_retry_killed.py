"""A worker dies while records wait in a retry topic: they come when they are due, all the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from schema.kafka.headers import Failure, Origin, write_failure_headers
from schema.kafka.topics import GROUP, USER_EVENTS, retry_topic
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process

    Database = asyncpg.Connection[asyncpg.Record]
    StartWorker = Callable[..., Process]

DUE_IN_S = 5


async def test_killed_in_mid_retry(
    chance: random.Random,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
) -> None:
    """Killed while they wait, and again: none is lost, none is taken before its time."""
    due = datetime.now(UTC) + timedelta(seconds=DUE_IN_S)
    ids = [await _postpone(producer, due) for _ in range(20)]
    for _ in range(3):
        worker = await asyncio.to_thread(start_worker, database_url)
        await asyncio.sleep(chance.random())
        early = await _count(database, ids)
        assert early == 0 or datetime.now(UTC) >= due
        await asyncio.to_thread(worker.kill)
    await asyncio.to_thread(start_worker, database_url)
    await until(lambda: _count(database, ids), len(ids).__eq__)
    rows = await database.fetch(
        "SELECT applied_at, outcome FROM events WHERE event_id = ANY($1::text[])", ids
    )

    assert {row["outcome"] for row in rows} == {"applied"}
    assert min(row["applied_at"] for row in rows) >= due


async def _postpone(producer: AIOKafkaProducer, due: datetime) -> str:
    """Put a record where a worker would have after a bug, and return its svix-id."""
    user_id = new_user_id()
    event_id = new_event_id()
    failure = Failure(
        error_class="bug", error_code="UNEXPECTED_ERROR", message="KeyError", retry_at=due
    )
    origin = Origin(
        topic=USER_EVENTS.name,
        partition=0,
        offset=0,
        timestamp_ms=0,
        group=GROUP,
        first_failed_at=due - timedelta(seconds=10),
    )
    await producer.send_and_wait(
        retry_topic(USER_EVENTS, "10s").name,
        user_event(user_id, at=0),
        key=user_id.encode(),
        headers=inbound_headers(event_id, subject=user_id) + write_failure_headers(failure, origin),
    )
    return event_id


async def _count(database: Database, ids: list[str]) -> int:
    return int(
        await database.fetchval("SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", ids)
    )
