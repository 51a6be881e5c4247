"""/livez tells a worker that waits rightly from one that only a restart brings on."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import CommitFailedError

from deploy.stack.ports import free_port
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.waiting import until
from workers.app import running_worker
from workers.project import project
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from schema.kafka.clerk import Envelope
    from tests.chaos.troupe import Arena

    Database = asyncpg.Connection[asyncpg.Record]
    Answer = tuple[int, dict[str, str]]

STUCK_S: Final = 2.0
"""More than the second after which a loop turns that finds nothing."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.progress.STUCK_S", STUCK_S)
    monkeypatch.setattr("workers.progress.ANSWERING_S", 0.5)
    monkeypatch.setattr("workers.confirm.COMMIT_TIMEOUT_S", 0.5)
    monkeypatch.setattr("workers.confirm.RETRY_AFTER_S", 0.1)


@pytest.fixture
async def worker(
    bootstrap_servers: str, proxied_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[WorkerSettings]:
    """A worker behind both proxies."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", proxied_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    settings = WorkerSettings()
    async with running_worker(settings):
        yield settings


async def _ask(worker: WorkerSettings, path: str = "livez") -> Answer:
    url = f"http://127.0.0.1:{worker.worker_metrics_port}/{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, (await response.json())["checks"]


async def _statuses(worker: WorkerSettings, *, for_s: float) -> set[int]:
    """Ask again and again for so long, and return what was answered."""
    found, until_s = set[int](), time.monotonic() + for_s
    while time.monotonic() < until_s:
        found.add((await _ask(worker))[0])
        await asyncio.sleep(0.2)
    return found


async def _publish(producer: AIOKafkaProducer) -> str:
    event_id, user_id = new_event_id(), new_user_id()
    headers = inbound_headers(event_id, subject=user_id)
    body = user_event(user_id, at=0)
    await producer.send_and_wait(
        "clerk.user-events", body, key=user_id.encode(), headers=headers, partition=0
    )
    return event_id


async def _is_applied(database: Database, event_id: str) -> bool:
    found: str | None = await database.fetchval(
        "SELECT outcome FROM events WHERE event_id = $1", event_id
    )
    return found == "applied"


def _before_projecting(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    def projecting(envelope: Envelope, event_id: str) -> Any:
        do()
        return project(envelope, event_id)

    monkeypatch.setattr("workers.decode.project", projecting)


async def test_a_worker_whose_kafka_is_away_lives(
    arena: Arena,
    worker: WorkerSettings,
    producer: AIOKafkaProducer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is confirmed for long, and a restart would not help."""
    _before_projecting(monkeypatch, arena.to_kafka.hold_requests)
    event_id = await _publish(producer)
    await until(lambda: _is_applied(database, event_id), bool)
    away = await _statuses(worker, for_s=2 * STUCK_S)
    _before_projecting(monkeypatch, lambda: None)
    arena.to_kafka.heal()
    back = await until(lambda: _ask(worker, "readyz"), lambda answer: answer[0] == 200)

    assert away == {200}
    assert back[0] == 200


async def test_a_worker_whose_postgres_is_away_lives(
    arena: Arena, worker: WorkerSettings, producer: AIOKafkaProducer, database: Database
) -> None:
    """Its batch waits in place, which is no reason to begin anew."""
    arena.to_postgres.refuse()
    event_id = await _publish(producer)
    await until(lambda: _ask(worker, "readyz"), lambda answer: "waits" in answer[1]["postgres"])
    away = await _statuses(worker, for_s=2 * STUCK_S)
    arena.to_postgres.heal()
    await until(lambda: _is_applied(database, event_id), bool)

    assert away == {200}


async def test_a_worker_whose_commits_are_stuck_does_not_live(
    worker: WorkerSettings,
    producer: AIOKafkaProducer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Kafka answers everybody else; once a commit succeeds, all is well again."""

    async def refuse(_consumer: AIOKafkaConsumer, _offsets: object = None) -> None:
        raise CommitFailedError

    with monkeypatch.context() as stuck:
        stuck.setattr(AIOKafkaConsumer, "commit", refuse)
        event_id = await _publish(producer)
        await until(lambda: _is_applied(database, event_id), bool)
        first, _ = await _ask(worker)
        dead = await until(lambda: _ask(worker), lambda answer: answer[0] == 503)
    await until(lambda: _ask(worker), lambda answer: answer[0] == 200)

    assert first == 200
    assert "nothing confirmed" in dead[1]["commits"]
    assert dead[1]["progress"] == "ok"


async def test_a_worker_whose_step_hangs_does_not_live(
    worker: WorkerSettings, producer: AIOKafkaProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for nobody who is away: it has lost its way."""
    freed = asyncio.Event()

    async def hang(*_: object) -> list[Any]:
        await freed.wait()
        return []

    monkeypatch.setattr("workers.consume.apply", hang)
    await _publish(producer)
    dead = await until(lambda: _ask(worker), lambda answer: answer[0] == 503)
    freed.set()
    await until(lambda: _ask(worker), lambda answer: answer[0] == 200)

    assert "has not turned" in dead[1]["progress"]
    assert dead[1]["commits"] == "ok"
