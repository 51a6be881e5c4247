"""A worker between a real Kafka and a real PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from deploy.stack.ports import free_port
from schema.kafka.headers import read_headers
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.rows import BEGINNING, insert_held_back, insert_session
from tests.waiting import until
from workers.app import running_worker
from workers.apply import apply
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]
    ReadTopic = Callable[[str], Awaitable[list[Any]]]

TOPIC = "clerk.user-events"


@pytest.fixture
def settings(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> WorkerSettings:
    """Settings of a worker on this test's database."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    return WorkerSettings()


@pytest.fixture
async def worker(settings: WorkerSettings) -> AsyncIterator[str]:
    """The address of a running worker's probes."""
    async with running_worker(settings):
        yield f"http://127.0.0.1:{settings.worker_metrics_port}"


async def _publish(
    producer: AIOKafkaProducer,
    user_id: str,
    value: bytes | None,
    *,
    event_id: str | None = None,
    extra: list[tuple[str, Any]] | None = None,
) -> str:
    event_id = event_id or new_event_id()
    await producer.send_and_wait(
        TOPIC,
        value,
        key=user_id.encode(),
        headers=[*inbound_headers(event_id, subject=user_id), *(extra or [])],
    )
    return event_id


async def _outcome(database: Database, event_id: str) -> str | None:
    return await database.fetchval("SELECT outcome FROM events WHERE event_id = $1", event_id)


async def _count(database: Database, event_ids: list[str]) -> int:
    return await database.fetchval(
        "SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", event_ids
    )


async def _get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status, await response.text()


@pytest.mark.usefixtures("worker")
async def test_an_event_becomes_a_row(producer: AIOKafkaProducer, database: Database) -> None:
    """What ingest published is in PostgreSQL, rows and ledger, with its place in Kafka."""
    user_id = new_user_id()
    event_id = await _publish(producer, user_id, user_event(user_id, at=0))
    await until(lambda: _outcome(database, event_id), lambda outcome: outcome == "applied")
    row = await database.fetchrow("SELECT * FROM events WHERE event_id = $1", event_id)

    assert row is not None
    assert (row["topic"], row["type"], row["clerk_user_id"]) == (TOPIC, "user.updated", user_id)
    assert await database.fetchval("SELECT first_name FROM users WHERE clerk_id = $1", user_id)


@pytest.mark.usefixtures("worker")
async def test_bad_records_are_dead_letters_and_stop_nobody(
    producer: AIOKafkaProducer, database: Database, read_topic: ReadTopic
) -> None:
    """Null values, broken bytes and null headers: each is kept as it was, the rest is applied."""
    user_id = new_user_id()
    poison = [None, b"\xff\xfe", b"{}", user_event(user_id, at=1, updated_at="yesterday")]
    ids = [await _publish(producer, user_id, value) for value in poison]
    good = await _publish(producer, user_id, user_event(user_id, at=2), extra=[("x-null", None)])
    await until(lambda: _outcome(database, good), lambda outcome: outcome == "applied")
    letters = [r for r in await read_topic(f"{TOPIC}.dlq") if r.key == user_id.encode()]
    headers = [read_headers(letter.headers) for letter in letters]

    assert [await _outcome(database, event_id) for event_id in ids] == ["dead"] * 4
    assert sorted(r.value or b"" for r in letters) == sorted(p or b"" for p in poison)
    assert {h["ce_id"] for h in headers} == set(ids)
    assert {h["x-original-topic"] for h in headers} == {TOPIC}
    assert {h["x-error-class"] for h in headers} == {"poison.decode"}
    assert all(h["__connect.errors.offset"].isdigit() for h in headers)


@pytest.mark.usefixtures("worker")
async def test_dead_letters_are_indexed(producer: AIOKafkaProducer, database: Database) -> None:
    """By the same process, soon, with what their headers say."""
    user_id = new_user_id()
    event_id = await _publish(producer, user_id, b"{}")
    row = await until(
        lambda: database.fetchrow("SELECT * FROM dead_letters WHERE event_id = $1", event_id),
        lambda row: row is not None,
    )
    place = await database.fetchrow("SELECT * FROM events WHERE event_id = $1", event_id)

    assert row
    assert place
    assert (row["topic"], row["source_topic"], row["state"]) == (f"{TOPIC}.dlq", TOPIC, "open")
    assert (row["source_partition"], row["source_offset"]) == (place["partition"], place["offset"])
    assert (row["error_class"], row["attempts"], row["clerk_user_id"]) == (
        *("poison.decode", 1),
        user_id,
    )


async def test_offsets_are_committed_after_the_rows(
    settings: WorkerSettings, producer: AIOKafkaProducer, database: Database
) -> None:
    """A worker that starts again goes on where the last one ended."""
    user_id = new_user_id()
    async with running_worker(settings):
        first = await _publish(producer, user_id, user_event(user_id, at=0))
        await until(lambda: _outcome(database, first), lambda outcome: outcome == "applied")
    await database.execute("TRUNCATE events, users CASCADE")
    async with running_worker(settings):
        second = await _publish(producer, user_id, user_event(user_id, at=1))
        await until(lambda: _outcome(database, second), lambda outcome: outcome == "applied")

    assert await _outcome(database, first) is None


async def test_a_missing_table_makes_the_worker_wait(
    worker: str, producer: AIOKafkaProducer, database: Database, read_topic: ReadTopic
) -> None:
    """Not ready, alive, nothing lost and nothing dead-lettered; it goes on when it can."""
    user_id = new_user_id()
    await database.execute("ALTER TABLE events RENAME TO forgotten")
    ids = [await _publish(producer, user_id, user_event(user_id, at=n)) for n in range(5)]
    await until(lambda: _get(f"{worker}/readyz"), lambda answer: answer[0] == 503)
    alive, _ = await _get(f"{worker}/livez")
    _, metrics = await _get(f"{worker}/metrics")
    await database.execute("ALTER TABLE forgotten RENAME TO events")
    await until(lambda: _count(database, ids), lambda count: count == len(ids))
    letters = [r for r in await read_topic(f"{TOPIC}.dlq") if r.key == user_id.encode()]

    assert alive == 200
    assert "clerkwork_worker_waiting 1.0" in metrics
    assert letters == []
    assert (await until(lambda: _get(f"{worker}/readyz"), lambda a: a[0] == 200))[0] == 200


async def test_what_waits_is_told_with_its_age(
    worker: str, producer: AIOKafkaProducer, database: Database
) -> None:
    """Also what came while the loop had no eye for it; and where the loop's time went."""
    user_id = new_user_id()

    async def sums() -> dict[str, float]:
        _, text = await _get(f"{worker}/metrics")
        found = dict.fromkeys(("records", "seconds", "waited", "applied", "commits"), 0.0)
        names = {
            "clerkwork_lag_records{": "records",
            "clerkwork_lag_seconds{": "seconds",
            'clerkwork_loop_seconds_total{step="wait"}': "waited",
            'clerkwork_loop_seconds_total{step="apply"}': "applied",
            "clerkwork_commit_seconds_count ": "commits",
        }
        for line in text.splitlines():
            for begins, name in names.items():
                if line.startswith(begins):
                    found[name] += float(line.rpartition(" ")[2])
        return found

    await until(sums, lambda found: found["records"] == 0)
    before = await sums()
    await database.execute("ALTER TABLE events RENAME TO forgotten")
    await _publish(producer, user_id, user_event(user_id, at=0))
    await until(lambda: _get(f"{worker}/readyz"), lambda answer: answer[0] == 503)
    for number in (1, 2):
        await _publish(producer, user_id, user_event(user_id, at=number))
    await until(sums, lambda found: found["records"] == 3 and found["seconds"] > 3)
    await database.execute("ALTER TABLE forgotten RENAME TO events")

    after = await until(sums, lambda found: found["records"] == 0)
    assert after["seconds"] == 0
    assert after["waited"] - before["waited"] > 1
    assert after["applied"] > before["applied"]
    await until(sums, lambda found: found["commits"] > before["commits"])


async def test_a_bug_stops_the_line_and_loses_nothing(
    worker: str,
    producer: AIOKafkaProducer,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An error nobody foresaw is tried again from the same offset, not committed past."""
    monkeypatch.setattr("workers.commit.BUG_PAUSE_S", 0.1)
    failures = iter([KeyError("a bug"), ValueError("another")])

    async def buggy(*args: Any) -> Any:
        if (failure := next(failures, None)) is not None:
            raise failure
        return await apply(*args)

    monkeypatch.setattr("workers.consume.apply", buggy)
    user_id = new_user_id()
    event_id = await _publish(producer, user_id, user_event(user_id, at=0))
    await until(lambda: _outcome(database, event_id), lambda outcome: outcome == "applied")
    _, metrics = await _get(f"{worker}/metrics")

    assert "clerkwork_worker_bugs_total 2.0" in metrics


async def test_what_is_in_the_tables_is_counted(
    settings: WorkerSettings, database: Database
) -> None:
    """From the start on, whether or not there are events."""
    user = await insert_held_back(database, until=BEGINNING)
    await insert_session(database, user, status="revoked")
    address = f"http://127.0.0.1:{settings.worker_metrics_port}"
    async with running_worker(settings):
        _, metrics = await until(
            lambda: _get(f"{address}/metrics"),
            lambda answer: "clerkwork_users_held_back 1.0" in answer[1],
        )

    assert 'clerkwork_sessions{status="revoked"} 1.0' in metrics
    assert 'clerkwork_sessions{status="active"} 0.0' in metrics
