"""PostgreSQL goes away under load: the worker waits, loses nothing, dead-letters nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from deploy.migrate import migrate
from deploy.stack import Postgres
from schema.kafka.headers import read_headers
from tests.chaos.history import (
    count_in_ledger,
    expected_users,
    found_users,
    make_history,
    publish_history,
)
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process

    ReadTopic = Callable[[str], Awaitable[list[Any]]]
    StartWorker = Callable[[str], Process]


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, to be stopped and killed."""
    with Postgres(data=tmp_path / "postgres", log=tmp_path / "postgres.log") as postgres:
        yield postgres


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_an_outage_is_waited_out(
    how: str,
    chance: random.Random,
    postgres: Postgres,
    start_worker: StartWorker,
    producer: AIOKafkaProducer,
    read_topic: ReadTopic,
) -> None:
    """Away for seconds in the middle of a stream: every event is applied once it is back."""
    await migrate(postgres.url)
    history = [h for h in make_history(chance, users=30, events=2000) if not h.poison]
    half = len(history) // 2
    worker = await asyncio.to_thread(start_worker, postgres.url)
    await publish_history(producer, history[:half])
    await asyncio.to_thread(getattr(postgres, how))
    await publish_history(producer, history[half:])
    await asyncio.sleep(3)
    alive = worker.poll() is None
    log_lines = worker.log_tail(10_000).count("\n")
    await asyncio.to_thread(postgres.start)
    database = await asyncpg.connect(postgres.url)
    await until(
        lambda: count_in_ledger(database, history),
        lambda count: count == len(history),
        within_s=60,
    )
    letters = {read_headers(r.headers)["ce_id"] for r in await read_topic("clerk.user-events.dlq")}
    found = await found_users(database, history)
    await database.close()

    assert alive
    assert log_lines < 200  # it waits, it does not spin
    assert letters & {happening.event_id for happening in history} == set()
    assert found == expected_users(history)
