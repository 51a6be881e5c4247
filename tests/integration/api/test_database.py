"""Asking a real PostgreSQL that is busy, slow, losing connections, stopping and starting."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from structlog.testing import capture_logs

from api.database import Database, DatabaseUnavailableError, Limits, Statement
from deploy.stack import Postgres
from schema.ops.metrics import ApiMetrics
from schema.ops.settings import DatabaseSettings
from schema.postgres.pools import build_pool
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.integration.api.conftest import Client, Serve, Users

SLEEP = Statement("sleep", "SELECT pg_sleep($1::float8)")
OPEN = 'clerkwork_breaker_open{breaker="database"}'
COUNT = Statement("count", "SELECT count(*) FROM users WHERE email <> $1")
BROKEN = Statement("broken", "SELECT 1 / $1::integer")
TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'tests-asking'
"""


@asynccontextmanager
async def asking(
    url: str, *, size: int = 3, acquire_s: float = 2.0, query_s: float = 3.0, slow_s: float = 0.2
) -> AsyncIterator[tuple[Database, CollectorRegistry]]:
    """Give a database as the API has it, and what it counts."""
    registry = CollectorRegistry()
    pool = build_pool(
        DatabaseSettings(database_url=SecretStr(url)),
        name="tests-asking",
        min_size=0,
        max_size=size,
        session={"statement_timeout": f"{query_s * 1000:.0f}ms"},
    )
    async with pool:
        limits = Limits(acquire_s=acquire_s, query_s=query_s, slow_s=slow_s)
        yield Database(pool, limits=limits, metrics=ApiMetrics(registry)), registry


def value(registry: CollectorRegistry, name: str, **labels: str) -> float:
    """Return the value of a series."""
    found = registry.get_sample_value(name, labels)
    assert found is not None
    return found


async def test_a_burst_waits_its_turn(database_url: str) -> None:
    """Many more requests than connections: all are answered, over no more than there may be."""
    async with asking(database_url, size=3) as (database, registry):
        answers = await asyncio.gather(*(database.fetch(SLEEP, 0.01) for _ in range(60)))

        assert len(answers) == 60
        assert database.pool.get_size() <= 3
        assert value(registry, "clerkwork_connection_wait_seconds_count") == 60


async def test_a_burst_waits_no_longer_than_it_may(database_url: str) -> None:
    """Then 503; that PostgreSQL is asked too much does not mean that it is away."""
    async with asking(database_url, size=1, acquire_s=0.3, query_s=30) as (database, registry):
        busy = asyncio.create_task(database.fetch(SLEEP, 3.0))
        await asyncio.sleep(0.1)  # the other gets the only connection
        started = time.monotonic()
        results = await asyncio.gather(
            *(database.fetch(COUNT, "") for _ in range(50)), return_exceptions=True
        )
        seconds = time.monotonic() - started

        assert {type(each) for each in results} == {DatabaseUnavailableError}
        assert 0.2 < seconds < 2.8
        assert value(registry, "clerkwork_breaker_open", breaker="database") == 0
        await busy
        assert await database.fetch(COUNT, "")


async def test_a_statement_that_takes_too_long_is_ended(database_url: str) -> None:
    """By PostgreSQL, which works on it no longer; the connection is kept, others are asked."""
    async with asking(database_url, query_s=0.2) as (database, registry):
        for _ in range(10):
            with pytest.raises(DatabaseUnavailableError):
                await database.fetch(SLEEP, 30.0)

        assert await database.fetch(COUNT, "")
        assert database.pool.get_size() == 1
        assert value(registry, "clerkwork_breaker_open", breaker="database") == 0


async def test_a_mistake_of_ours_is_not_hidden(database_url: str) -> None:
    """Neither repeated nor called an outage."""
    async with asking(database_url) as (database, registry):
        for _ in range(10):
            with pytest.raises(asyncpg.DivisionByZeroError):
                await database.fetch(BROKEN, 0)

        assert value(registry, "clerkwork_reads_repeated_total") == 0
        assert value(registry, "clerkwork_breaker_open", breaker="database") == 0


async def test_lost_connections_cost_no_read(
    database_url: str, database: asyncpg.Connection[asyncpg.Record]
) -> None:
    """All of them are ended, again and again, under load: every read is answered all the same."""
    async with asking(database_url, size=10, acquire_s=10) as (asked, registry):
        counts = [0] * 30
        done = asyncio.Event()

        async def read(number: int) -> None:
            while not done.is_set():
                await asked.fetch(COUNT, "")
                counts[number] += 1

        async def slowest() -> int:
            return min(counts)

        readers = [asyncio.create_task(read(number)) for number in range(len(counts))]
        ended = 0
        for _ in range(5):
            # Until all have gone on: a read outlives the loss of one connection, not of two.
            await until(slowest, max(counts).__lt__)
            ended += len(await database.fetch(TERMINATE))
        done.set()
        await asyncio.gather(*readers)

        assert ended > 20
        assert value(registry, "clerkwork_reads_repeated_total") > 0


async def test_each_query_is_measured_by_name(database_url: str) -> None:
    """A slow one is warned of: name, duration, rows; never what it was asked with."""
    async with asking(database_url, slow_s=0.1) as (database, registry):
        with capture_logs() as lines:
            await database.fetch(COUNT, "ada@example.com")
            await database.fetch(SLEEP, 0.15)

    assert [(each["event"], each["log_level"], each["statement"]) for each in lines] == [
        ("query", "debug", "count"),
        ("slow_query", "warning", "sleep"),
    ]
    assert lines[1]["duration_ms"] > 100
    assert lines[1]["rows"] == 1
    assert "ada" not in str(lines)
    assert lines[1].keys() == {"event", "log_level", "statement", "duration_ms", "rows"}
    for name in ("count", "sleep"):
        assert value(registry, "clerkwork_query_seconds_count", statement=name) == 1


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A PostgreSQL of this test's own, to be stopped and started."""
    with Postgres(data=tmp_path / "postgres", log=tmp_path / "postgres.log") as postgres:
        yield postgres


async def test_a_database_that_stops_is_left_alone_and_found_again(
    serve: Serve, postgres: Postgres
) -> None:
    """At once 503 while it is away, with a word of readiness; good again soon after it is back."""
    async with serve(postgres.url, api_acquire_s=1) as client:
        assert (await _status(client, "/readyz")) == 200
        await asyncio.to_thread(postgres.stop)

        async def is_open() -> bool:
            await client.get("/readyz")
            return await client.metric(OPEN) == 1

        await until(is_open, bool)

        durations = []
        for _ in range(50):
            started = time.monotonic()
            response = await client.get("/v1/me", by="user_1")
            durations.append(time.monotonic() - started)
            assert response.status == 503
            assert response.headers["Retry-After"]
        assert sorted(durations)[-3] < 0.5  # all but a probe or two
        ready = await client.get("/readyz")
        assert ready.status == 503
        assert "PostgreSQL" in (await ready.json())["checks"]["database"]

        await asyncio.to_thread(postgres.start)
        await until(lambda: _status(client, "/readyz"), (200).__eq__, within_s=10)
        assert await client.metric(OPEN) == 0


async def _status(client: Client, path: str) -> int:
    return (await client.get(path, by="user_1")).status


async def test_connections_can_be_opened_at_the_start(
    serve: Serve, database_url: str, users: Users
) -> None:
    """As many as the operator wants, each with the limits of the settings."""
    async with serve(database_url, api_pool_min=4, api_pool_max=5, api_query_s=1.5):
        names = "application_name = 'clerkwork-api' AND datname = current_database()"
        count = f"SELECT count(*) FROM pg_stat_activity WHERE {names}"  # noqa: S608 - constants

        assert await users.connection.fetchval(count) == 4
