"""What was accepted and never dealt with is found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.audit import audit
from deploy.letters.desk import DeskSettings
from deploy.stack.ports import free_port
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    import asyncpg
    import pytest
    from aiokafka import AIOKafkaProducer

TOPIC = "clerk.user-events"


async def _publish(producer: AIOKafkaProducer) -> str:
    user_id = new_user_id()
    event_id = new_event_id()
    await producer.send_and_wait(
        TOPIC,
        user_event(user_id, at=0),
        key=user_id.encode(),
        headers=inbound_headers(event_id, subject=user_id),
    )
    return event_id


async def test_a_record_that_left_no_trace_is_found(
    bootstrap_servers: str,
    database: asyncpg.Connection[asyncpg.Record],
    database_url: str,
    producer: AIOKafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And what is in the ledger is not; what nobody has consumed yet is only waiting."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    async with running_worker(WorkerSettings()):
        ids = [await _publish(producer) for _ in range(20)]
        await until(lambda: _count(database, ids), lambda count: count == len(ids))
    await _publish(producer)
    before = await audit(DeskSettings(), hours=1)
    await database.execute("DELETE FROM events WHERE event_id = ANY($1::text[])", ids[3:5])
    after = await audit(DeskSettings(), hours=1)
    # Other tests' records are on the broker too, and in no ledger of this test's.
    ours = set(after.missing) - set(before.missing)

    assert before.checked == after.checked >= len(ids)
    assert after.waiting >= 1
    assert {(each.event_id, each.topic) for each in ours} == {(id_, TOPIC) for id_ in ids[3:5]}


async def _count(database: asyncpg.Connection[asyncpg.Record], ids: list[str]) -> int:
    return int(
        await database.fetchval("SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", ids)
    )
