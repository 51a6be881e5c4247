"""Bugs, floods of rejects and skipped offsets, on the real Kafka and PostgreSQL."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest

from deploy.line import Place, list_stops, release
from deploy.stack.ports import free_port
from schema.kafka.headers import read_headers
from tests.factories import (
    inbound_headers,
    make_body,
    make_record,
    new_event_id,
    new_user_id,
    user_event,
)
from tests.waiting import until
from workers.advance import Gap, advance_offsets
from workers.app import running_worker
from workers.halt import Stop, write_stops
from workers.project import project
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiokafka import AIOKafkaProducer

    from schema.kafka.clerk import Envelope

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]

TOPIC = "clerk.user-events"
UNLUCKY = "Unlucky"


@pytest.fixture
def settings(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> WorkerSettings:
    """A worker whose retry tiers are short, and whose patience is."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    monkeypatch.setenv("WORKER_REJECT_RUN", "20")
    monkeypatch.setattr("workers.park.RETRY_DELAYS", {"10s": 0.2, "1m": 0.3, "10m": 0.4})
    return WorkerSettings()


class Bug:
    """A bug of ours that some users meet, until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.met = 0

    def project(self, envelope: Envelope, event_id: str) -> Any:
        """Fail for the unlucky."""
        if UNLUCKY.encode() in bytes(envelope.data) and not self.mended:
            self.met += 1
            raise KeyError(UNLUCKY)
        return project(envelope, event_id)


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> Bug:
    """Put the bug into the worker."""
    bug = Bug()
    monkeypatch.setattr("workers.decode.project", bug.project)
    return bug


async def _publish(producer: AIOKafkaProducer, user_id: str, body: bytes) -> str:
    event_id = new_event_id()
    headers = inbound_headers(event_id, subject=user_id)
    await producer.send_and_wait(TOPIC, body, key=user_id.encode(), headers=headers)
    return event_id


async def _outcome(database: Database, event_id: str) -> str | None:
    outcome: str | None = await database.fetchval(
        "SELECT outcome FROM events WHERE event_id = $1", event_id
    )
    return outcome


async def _letters(read_topic: ReadTopic, topic: str, user_id: str) -> list[Any]:
    return [each for each in await read_topic(topic) if each.key == user_id.encode()]


async def _metrics(settings: WorkerSettings) -> str:
    url = f"http://127.0.0.1:{settings.worker_metrics_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return await response.text()


async def test_a_bug_fails_its_event_alone_and_for_a_while(
    settings: WorkerSettings,
    bug: Bug,
    producer: AIOKafkaProducer,
    database: Database,
    read_topic: ReadTopic,
) -> None:
    """It waits in the retry topic while the others go on, and is applied once the bug is mended."""
    lucky, unlucky = new_user_id(), new_user_id()
    async with running_worker(settings):
        bad = await _publish(producer, unlucky, user_event(unlucky, at=0, first_name=UNLUCKY))
        good = await _publish(producer, lucky, user_event(lucky, at=0))
        await until(lambda: _outcome(database, good), lambda outcome: outcome == "applied")
        await until(lambda: _outcome(database, bad), lambda outcome: outcome == "retrying")
        bug.mended = True
        await until(lambda: _outcome(database, bad), lambda outcome: outcome == "applied")
    [record] = await _letters(read_topic, f"{TOPIC}.retry.10s", unlucky)
    headers = read_headers(record.headers)

    assert (headers["x-attempt"], headers["x-error-class"]) == ("1", "bug")
    assert headers["x-original-topic"] == TOPIC
    assert UNLUCKY not in str(headers)
    assert await _letters(read_topic, f"{TOPIC}.dlq", unlucky) == []


@pytest.mark.usefixtures("bug")
async def test_a_bug_that_stays_ends_in_the_dead_letters(
    settings: WorkerSettings, producer: AIOKafkaProducer, database: Database, read_topic: ReadTopic
) -> None:
    """After each tier once; the letter has the first origin, the last error and every attempt."""
    user_id = new_user_id()
    async with running_worker(settings):
        event_id = await _publish(producer, user_id, user_event(user_id, at=0, first_name=UNLUCKY))
        await until(lambda: _outcome(database, event_id), lambda outcome: outcome == "dead")
    passed = [
        len(await _letters(read_topic, f"{TOPIC}.{step}", user_id))
        for step in ("retry.10s", "retry.1m", "retry.10m", "dlq")
    ]
    [letter] = await _letters(read_topic, f"{TOPIC}.dlq", user_id)
    headers = read_headers(letter.headers)

    assert passed == [1, 1, 1, 1]
    assert headers["x-attempt"] == "4"
    assert headers["x-original-topic"] == headers["__connect.errors.topic"] == TOPIC
    assert "x-retry-at" not in headers
    assert len(letter.headers) == len(dict(letter.headers))


async def test_a_flood_of_rejects_stops_the_line(
    settings: WorkerSettings,
    producer: AIOKafkaProducer,
    database: Database,
    database_url: str,
    read_topic: ReadTopic,
) -> None:
    """Nothing of it is dead-lettered until an operator says so; then exactly what was bad is."""
    user_id = new_user_id()
    poison = user_event(user_id, at=0, updated_at="yesterday")
    ids = [await _publish(producer, user_id, poison) for _ in range(30)]
    async with running_worker(settings):
        await until(lambda: list_stops(database_url), bool)
        stopped = await _metrics(settings)
        before = await _letters(read_topic, f"{TOPIC}.dlq", user_id)
        [stop] = await list_stops(database_url)
        await release(database_url, Place(topic=TOPIC), allowance=100)
        await until(lambda: _outcome(database, ids[-1]), lambda outcome: outcome == "dead")
        after = await _letters(read_topic, f"{TOPIC}.dlq", user_id)
        audit = await database.fetchrow("SELECT action, operator, done FROM operations")

    assert "clerkwork_line_stopped 1.0" in stopped
    assert 'clerkwork_worker_waits_total{kind="line_stopped"}' in stopped
    assert len(before) < 20
    assert stop.reason.startswith("$.data.updated_at")
    assert len(after) == 30
    assert audit is not None
    assert (audit["action"], audit["done"]) == ("release", 1)
    assert "@" in audit["operator"]


async def test_a_release_is_not_undone_by_who_has_not_seen_it(database_url: str) -> None:
    """It may come between a worker's look and its note; a stop after it stands again."""
    stop = Stop(topic=TOPIC, partition=0, rejects=20, events=20, reason="bad")
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        await write_stops(pool, [stop])
        await release(database_url, Place(topic=TOPIC), allowance=100)
        await write_stops(pool, [stop])
        [released] = await list_stops(database_url)
        await write_stops(pool, [replace(stop, seen_release=released.released_at)])
        [again] = await list_stops(database_url)

    assert (released.released_at is None, released.allowance) == (False, 100)
    assert (again.released_at, again.allowance) == (None, 0)


@pytest.mark.parametrize(
    ("take", "give"),
    [
        ("REVOKE INSERT ON users FROM clerkwork_worker", "GRANT INSERT ON users TO {}"),
        ("ALTER ROLE clerkwork_worker NOLOGIN", "ALTER ROLE {} LOGIN"),
        ("ALTER ROLE clerkwork_worker PASSWORD 'new'", "ALTER ROLE {} PASSWORD 'old'"),
        ("ALTER TABLE sessions RENAME TO away", "ALTER TABLE away RENAME TO sessions"),
    ],
    ids=["right", "login", "password", "table"],
)
async def test_what_an_operator_must_set_right_is_waited_for(
    settings: WorkerSettings,
    producer: AIOKafkaProducer,
    database: Database,
    read_topic: ReadTopic,
    monkeypatch: pytest.MonkeyPatch,
    take: str,
    give: str,
) -> None:
    """A right that is revoked, a role shut out, a table that is gone: no dead letter."""
    role = f"worker_{new_user_id()[-12:]}"
    await database.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'old'")
    await database.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    address = settings.database_url.get_secret_value().partition("@")[2]
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{role}:old@{address}")
    user_id = new_user_id()
    await database.execute(take.replace("clerkwork_worker", role))
    async with running_worker(WorkerSettings()):
        body = make_body("session.created", user_id=user_id, user=None)
        event_id = await _publish(producer, user_id, body)
        await until(lambda: _metrics(settings), lambda text: "worker_waiting 1.0" in text)
        waiting = await _metrics(settings)
        await database.execute(give.format(role))
        await until(lambda: _outcome(database, event_id), lambda outcome: outcome == "applied")

    assert 'clerkwork_worker_waits_total{kind="configuration"} 0.0' not in waiting
    assert await _letters(read_topic, f"{TOPIC}.dlq", user_id) == []
    await database.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


async def test_what_is_applied_is_known_by_offset(
    settings: WorkerSettings, producer: AIOKafkaProducer, database: Database
) -> None:
    """Written with the rows; nothing skipped, everything looked at."""
    user_id = new_user_id()
    async with running_worker(settings):
        ids = [await _publish(producer, user_id, user_event(user_id, at=n)) for n in range(5)]
        await until(lambda: _outcome(database, ids[-1]), lambda outcome: outcome is not None)
        metrics = await _metrics(settings)
    ledger = await database.fetchrow(
        'SELECT partition, "offset" FROM events WHERE event_id = $1', ids[-1]
    )
    assert ledger is not None
    following = await database.fetchval(
        "SELECT next_offset FROM applied_offsets WHERE topic = $1 AND partition = $2",
        TOPIC,
        ledger["partition"],
    )

    assert following == ledger["offset"] + 1
    assert "clerkwork_offsets_skipped_total 0.0" in metrics
    assert "clerkwork_order_violations_total 0.0" in metrics
    assert "clerkwork_offsets_checked_total 0.0" not in metrics


async def test_a_skipped_record_is_seen(database: Database) -> None:
    """A batch that begins beyond what is applied says by how much, a repeated one nothing."""
    told = []
    for offsets in ([5, 6, 7], [8], [6, 7, 8, 9], [13, 14]):
        records = [make_record(b"{}", partition=3, offset=offset) for offset in offsets]
        async with database.transaction():
            told.append(await advance_offsets(database, records))  # type: ignore[arg-type]  # a connection all the same

    assert told[:3] == [[], [], []]
    assert told[3] == [Gap(topic=TOPIC, partition=3, skipped=3, applied=10)]
