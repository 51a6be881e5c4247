"""How fast the relay is as it stands: `.venv/bin/python -m tests.bench.bench_relay`.

One relay on the first core; PostgreSQL and Kafka wherever there is room, fsync on. First a full
outbox is emptied; then changes come at about a quarter of that rate, and a consumer of committed
records tells how long after its commit each of them reached it; then more, up to a million.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING

import asyncpg
import psutil
import uvloop
from aiokafka import AIOKafkaConsumer

from deploy.stack import Process, running_stack
from deploy.stack.ports import free_port
from schema.kafka.headers import read_position
from schema.kafka.topics import USER_CHANGES
from tests.bench.bench_walk import pinned, prepare
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.stack import Stack

    Database = asyncpg.Connection[asyncpg.Record]

BACKLOG = 200_000
PACED_S = 20
PACED_TOGETHER = 20
"""Changes that are committed together, as a worker's batch would."""
TOGETHER = 5_000
TOTAL = 1_000_000
USERS = 100_000

PUT = """
    WITH start AS (
        SELECT greatest(
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
            (SELECT max(position) FROM outbox) + 1
        ) AS position
    ),
    told AS (
        INSERT INTO outbox (position, topic, key, type, owner, state)
        SELECT position + n, 'user.changes', key, 'clerkwork.user.updated', key,
            json_build_object(
                'schema_version', 1, 'sequence', position + n, 'version', position / 1000,
                'id', gen_random_uuid(), 'clerk_id', key, 'email', key || '@example.com',
                'email_verified', true, 'first_name', 'Ada', 'last_name', 'Lovelace',
                'username', null, 'image_url', 'https://img.clerk.com/' || repeat('x', 120),
                'external_id', null, 'role', 'user', 'status', 'active',
                'public_metadata', json_build_object('plan', 'team', 'seats', n),
                'created_at', '2026-01-01T00:00:00.000Z'
            )
        FROM start, generate_series(0, $1::int - 1) AS n,
            LATERAL (SELECT 'user_2bench' || lpad((random() * $2)::int::text, 20, '0') || n * 0)
                AS named (key)
        RETURNING position
    )
    SELECT max(position), pg_notify('clerkwork_outbox', max(position)::text) FROM told
"""


async def put(database: Database, count: int) -> int:
    """Commit so many changes together, as workers do; return the position of the last."""
    async with database.transaction():
        await database.execute("SELECT pg_advisory_xact_lock(6241358)")
        return await database.fetchval(PUT, count, USERS)


@dataclass(frozen=True, kw_only=True)
class Relay:
    """A relay process."""

    port: int
    process: psutil.Process

    def published(self) -> int:
        """Return how many changes Kafka has acknowledged."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            text: str = answer.read().decode()
        line = 'clerkwork_changes_published_total{topic="user.changes"} '
        return int(float(text.partition(line)[2].partition("\n")[0] or 0))

    def cpu_s(self) -> float:
        """Return the CPU time that it has used."""
        return sum(self.process.cpu_times()[:2])

    async def reach(self, count: int) -> None:
        """Wait until so many are published."""
        await until(
            lambda: asyncio.to_thread(self.published), lambda found: found >= count, within_s=600
        )


async def measure_rate(relay: Relay) -> float:
    """Return how many changes a second leave a full outbox, and print what each costs."""
    await relay.reach(1)
    first, begun, cpu_s = relay.published(), time.perf_counter(), relay.cpu_s()
    await relay.reach(BACKLOG)
    seconds, count = time.perf_counter() - begun, BACKLOG - first
    cpu_us = (relay.cpu_s() - cpu_s) / count * 1e6
    print(f"full outbox     {count / seconds:8,.0f}/s {cpu_us:8,.0f} us CPU each")
    return count / seconds


async def measure_lag(stack: Stack, database: Database, rate: float) -> int:
    """Print how long after their commit changes reach a consumer, at that rate."""
    consumer = AIOKafkaConsumer(
        USER_CHANGES.name,
        bootstrap_servers=stack.bootstrap_servers,
        isolation_level="read_committed",
        auto_offset_reset="latest",
    )
    async with consumer:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)
        arrived: dict[int, float] = {}
        reading = asyncio.create_task(note_arrivals(consumer, arrived))
        committed: dict[int, float] = {}
        begun = time.perf_counter()
        rounds = int(rate * PACED_S / PACED_TOGETHER)
        for number in range(rounds):
            committed[await put(database, PACED_TOGETHER)] = time.perf_counter()
            await asyncio.sleep(begun + number * PACED_TOGETHER / rate - time.perf_counter())
        seconds = time.perf_counter() - begun
        await asyncio.sleep(2)
        reading.cancel()
    lags = sorted(max(0.0, arrived[position] - at) for position, at in committed.items())
    cuts = quantiles(lags, n=100)
    print(
        f"at {rounds * PACED_TOGETHER / seconds:6,.0f}/s       p50 {cuts[49] * 1000:6.1f} ms"
        f"   p99 {cuts[98] * 1000:6.1f} ms   most {lags[-1] * 1000:6.1f} ms,"
        " from the commit to a consumer"
    )
    return rounds * PACED_TOGETHER


async def note_arrivals(consumer: AIOKafkaConsumer, arrived: dict[int, float]) -> None:
    """Note when each position came."""
    while True:
        batches = await consumer.getmany(timeout_ms=1000)
        now = time.perf_counter()
        for records in batches.values():
            for record in records:
                arrived[read_position(record.headers) or 0] = now


async def measure_million(relay: Relay, database: Database, done: int) -> None:
    """Print what is left behind by a million changes."""
    rss = relay.process.memory_info().rss
    begun, start = time.perf_counter(), done
    while done < TOTAL:
        count = min(TOGETHER, TOTAL - done)
        await put(database, count)
        done += count
    await relay.reach(TOTAL)
    rate = (TOTAL - start) / (time.perf_counter() - begun)
    print(f"written meanwhile {rate:6,.0f}/s, written and published")
    await database.execute("SELECT pg_stat_force_next_flush()")
    for table in ("outbox", "relay_progress"):
        size = await database.fetchval("SELECT pg_total_relation_size($1::text::regclass)", table)
        row = await database.fetchrow(
            "SELECT n_live_tup, n_dead_tup FROM pg_stat_user_tables WHERE relname = $1", table
        )
        assert row
        print(
            f"{table:<16} {size / 1e6:8,.1f} MB, {row['n_live_tup']:,} live and"
            f" {row['n_dead_tup']:,} dead tuples"
        )
    now = relay.process.memory_info().rss
    print(f"relay's memory   {now / 1e6:8,.0f} MB, {rss / 1e6:,.0f} MB before")


async def measure(stack: Stack, logs: Path) -> None:
    """Measure and print."""
    await prepare(stack)
    os.sched_setaffinity(0, {1})
    database = await asyncpg.connect(stack.database_url)
    for _ in range(BACKLOG // TOGETHER):
        await put(database, TOGETHER)
    port = free_port()
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "DATABASE_URL": stack.database_url,
        "RELAY_METRICS_PORT": str(port),
        "LOG_FORMAT": "json",
    }
    program = pinned(["-m", "workers.relay"], environment, log=logs / "relay.log", port=port)
    with Process(program) as process:
        relay = Relay(port=port, process=psutil.Process(process.pid))
        rate = await measure_rate(relay)
        done = BACKLOG + await measure_lag(stack, database, rate / 4)
        await measure_million(relay, database, done)
    await database.close()


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        running_stack(data=Path(name)) as stack,
    ):
        uvloop.run(measure(stack, Path(name)))


if __name__ == "__main__":
    main()
