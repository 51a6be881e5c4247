"""What workers count, on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from deploy.partitions import Month, add_month, month_of
from deploy.stack.ports import free_port
from schema.ops.metrics import SESSION_STATUSES, WorkerMetrics
from schema.ops.settings import DatabaseSettings
from schema.postgres.pools import build_pool
from tests.rows import BEGINNING, insert, insert_held_back, insert_session
from tests.waiting import until
from workers import count
from workers.count import count_letters, count_months_ahead, count_stops, counting
from workers.halt import Stop, write_stops

if TYPE_CHECKING:
    import asyncpg

    Database = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]


@pytest.fixture
def registry() -> CollectorRegistry:
    """Where the metrics of this test are."""
    return CollectorRegistry()


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(count, "COUNT_EVERY_S", 0.05)
    monkeypatch.setattr(count, "COUNT_TIMEOUT_S", 0.5)


def _sessions(registry: CollectorRegistry) -> dict[str, float | None]:
    found = {
        status: registry.get_sample_value("clerkwork_sessions", {"status": status})
        for status in SESSION_STATUSES
    }
    return {status: value for status, value in found.items() if value != 0}


async def test_every_status_is_there_from_the_beginning(registry: CollectorRegistry) -> None:
    """So that a rate or an alert needs no first occurrence."""
    WorkerMetrics(registry)

    assert _sessions(registry) == {}
    assert registry.get_sample_value("clerkwork_users_held_back") == 0


async def test_the_metrics_follow_the_tables(
    database: Database, pool: Pool, registry: CollectorRegistry
) -> None:
    """Up and down."""
    user = await insert_held_back(database, until=BEGINNING)
    for status in ("active", "active", "revoked"):
        await insert_session(database, user, status=status)

    async def seen() -> dict[str, float | None]:
        return _sessions(registry)

    async with counting(pool, WorkerMetrics(registry)):
        await until(seen, lambda found: found == {"active": 2, "revoked": 1})
        assert registry.get_sample_value("clerkwork_users_held_back") == 1
        await database.execute("DELETE FROM users")
        await until(seen, lambda found: found == {})


async def test_without_postgresql_nothing_is_counted_and_nothing_fails(
    registry: CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Not even in the log: readiness tells of it."""
    monkeypatch.setenv("DATABASE_URL", f"postgresql://u:p@127.0.0.1:{free_port()}/d")
    pool = build_pool(DatabaseSettings(), name="tests", min_size=0, max_size=1)
    async with pool, counting(pool, WorkerMetrics(registry)):
        await asyncio.sleep(0.3)

    assert _sessions(registry) == {}
    assert capsys.readouterr() == ("", "")


async def test_a_count_that_takes_long_is_given_up(
    database: Database, pool: Pool, registry: CollectorRegistry
) -> None:
    """A lock on the table is waited for no longer than a moment, then it is tried again."""
    user = await insert_held_back(database, until=BEGINNING)
    await insert_session(database, user)

    async def seen() -> dict[str, float | None]:
        return _sessions(registry)

    async def busy() -> int:
        return pool.get_size() - pool.get_idle_size()

    async with contextlib.AsyncExitStack() as stack:
        async with database.transaction():
            await database.execute("LOCK TABLE sessions")
            await stack.enter_async_context(counting(pool, WorkerMetrics(registry)))
            await until(busy, lambda found: found == 1)
            await until(busy, lambda found: found == 0)
            assert await seen() == {}
        await until(seen, lambda found: found == {"active": 1})


async def test_it_ends_in_the_middle_of_a_count(
    database: Database,
    pool: Pool,
    registry: CollectorRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker that is told to stop waits for no count."""
    monkeypatch.setattr(count, "COUNT_TIMEOUT_S", 60)

    async def busy() -> int:
        return pool.get_size() - pool.get_idle_size()

    async with database.transaction():
        await database.execute("LOCK TABLE sessions")
        async with asyncio.timeout(20):
            async with counting(pool, WorkerMetrics(registry)):
                await until(busy, (1).__eq__)

    assert await pool.fetchval("SELECT 1") == 1


async def _insert_letter(database: Database, offset: int, *, state: str, dead_at: datetime) -> None:
    await insert(
        database,
        "dead_letters",
        topic="clerk.user-events.dlq",
        partition=0,
        offset=offset,
        dead_at=dead_at,
        error_class="bug",
        attempts=1,
        state=state,
    )


async def test_dead_letters_have_an_age_while_they_wait(database: Database) -> None:
    """Those that were replayed or given up wait no more, whatever their age."""
    now = await database.fetchval("SELECT now()")
    for offset, (state, age_s) in enumerate(
        [("open", 60), ("open", 10), ("parked", 500), ("replayed", 9000), ("purged", 9000)]
    ):
        await _insert_letter(database, offset, state=state, dead_at=now - timedelta(seconds=age_s))
    metrics = WorkerMetrics(registry := CollectorRegistry())

    count._show_letters(await count_letters(database), metrics)

    assert registry.get_sample_value("clerkwork_dead_letters", {"state": "open"}) == 2
    assert registry.get_sample_value("clerkwork_dead_letters", {"state": "replaying"}) == 0
    oldest_s = registry.get_sample_value("clerkwork_dead_letter_oldest_seconds")
    assert oldest_s == pytest.approx(500, abs=30)
    await database.execute("UPDATE dead_letters SET state = 'purged'")
    count._show_letters(await count_letters(database), metrics)
    assert registry.get_sample_value("clerkwork_dead_letter_oldest_seconds") == 0


async def test_stops_are_counted_until_they_are_released(database: Database, pool: Pool) -> None:
    """As an operator sees them."""
    stop = Stop(topic="clerk.user-events", partition=3, rejects=9, events=9, reason="r")
    await write_stops(pool, [stop, replace(stop, partition=4)])

    assert await count_stops(database) == 2
    await database.execute("UPDATE line_stops SET released_at = now() WHERE partition = 4")
    assert await count_stops(database) == 1


async def test_months_count_up_to_the_first_that_is_missing(database: Database) -> None:
    """What lies after a gap helps nobody next month."""
    now = datetime.now(UTC)
    before = await count_months_ahead(database)
    for distance in (before + 1, before + 2, before + 4):
        await add_month(database, Month(begins=month_of(now, plus=distance), events=0))

    assert await count_months_ahead(database) == before + 2


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("count_sessions", "sessions_status_idx"),
        ("count_held_back", "users_erase_at_idx"),
        ("count_letters", "dead_letters_state_dead_at_idx"),
    ],
)
async def test_only_an_index_is_read(database: Database, statement: str, index: str) -> None:
    """Once vacuum has seen the table."""
    await database.execute("SET enable_seqscan = off")
    await database.execute("SET enable_bitmapscan = off")
    rows = await database.fetch(f"EXPLAIN {count._SQL[statement]}")

    assert f"Index Only Scan using {index}" in "\n".join(row[0] for row in rows)
