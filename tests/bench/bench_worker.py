"""How near a worker is to what PostgreSQL can do: `.venv/bin/python -m tests.bench.bench_worker`.

Three rates on one machine, fsync on, each process on its own core: a set-based upsert of ready
rows (the limit: nothing is read, checked, derived, recorded or told), one worker with everything
on, and what is often written instead: an insert for each event, each in a transaction. CPU time
says more than rates where the machine is shared, that of PostgreSQL's backends included.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
from aiokafka import AIOKafkaProducer

from deploy.stack import Process, running_stack
from deploy.stack.ports import free_port
from tests.bench.bench_walk import count_events, pinned, prepare
from tests.chaos.stories import publish
from tests.factories import new_event_id, new_user_id, user_event
from tests.integration.workers.order.facts import Told
from tests.waiting import until

if TYPE_CHECKING:
    from deploy.stack import Stack

    Connection = asyncpg.Connection[asyncpg.Record]

EVENTS = 30_000
USERS = 5_000
NAIVE = 500
BATCH = 500
UPSERT = """
    INSERT INTO ready AS stored (id, email, first_name, last_name, metadata, version)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[])
        AS incoming (id)
    ORDER BY incoming.id
    ON CONFLICT (id) DO UPDATE SET
        email = excluded.email, first_name = excluded.first_name, last_name = excluded.last_name,
        metadata = excluded.metadata, version = excluded.version
    WHERE excluded.version > stored.version
"""
READY = """
    CREATE TABLE ready (
        id text PRIMARY KEY, email text, first_name text, last_name text, metadata jsonb,
        version bigint
    )
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What came of a run."""

    events: int
    seconds: float
    cpu_s: float
    """CPU time of the process that writes."""
    server_s: float
    """CPU time of its backends."""
    memory_mb: int

    @property
    def per_second(self) -> float:
        """Events or rows per second."""
        return self.events / self.seconds

    def __str__(self) -> str:
        """Write it as a line of the report."""
        ours, theirs = (each / self.events * 1e6 for each in (self.cpu_s, self.server_s))
        return (
            f"{self.per_second:8,.0f}/s {ours:8,.1f} us CPU each, PostgreSQL {theirs:7,.1f} us,"
            f" {self.memory_mb:4} MB"
        )


def cpu_of(pid: int) -> float:
    """Return the seconds that a process has had of a core."""
    return sum(psutil.Process(pid).cpu_times()[:2])


async def backends_cpu(database: Connection, name: str) -> float:
    """Return the seconds that the backends of clients of this name have had."""
    rows = await database.fetch(
        "SELECT pid FROM pg_stat_activity WHERE application_name LIKE $1", f"{name}%"
    )
    return sum(cpu_of(row["pid"]) for row in rows)


def ready_rows(ids: list[str], start: int) -> list[list[Any]]:
    """Return the columns of a batch that needs nothing but to be written."""
    numbers = range(start, start + BATCH)
    metadata = json.dumps({"plan": "pro", "locale": "en"})
    return [
        [ids[n % len(ids)] for n in numbers],
        [f"ada{n}@example.com" for n in numbers],
        ["Ada"] * BATCH,
        ["Lovelace"] * BATCH,
        [metadata] * BATCH,
        list(numbers),
    ]


async def measure_limit(database_url: str) -> Cost:
    """Measure the set-based upsert."""
    ids = [new_user_id() for _ in range(USERS)]
    database = await asyncpg.connect(database_url)
    await database.execute(READY)
    batches = [ready_rows(ids, start) for start in range(0, EVENTS, BATCH)]
    cost = await _measure(database, [(UPSERT, batch) for batch in batches], events=EVENTS)
    await database.close()
    return cost


async def measure_naive(database_url: str) -> Cost:
    """Measure a statement and a transaction for each event."""
    ids = [new_user_id() for _ in range(NAIVE)]
    database = await asyncpg.connect(database_url)
    columns = ready_rows(ids, 0)
    rows = [[[value] for value in row] for row in zip(*columns, strict=True)]
    cost = await _measure(database, [(UPSERT, row) for row in rows[:NAIVE]], events=NAIVE)
    await database.close()
    return cost


async def _measure(
    database: Connection, statements: list[tuple[str, list[Any]]], *, events: int
) -> Cost:
    pids = os.getpid(), database.get_server_pid()
    started, before = time.perf_counter(), [cpu_of(pid) for pid in pids]
    for statement, values in statements:
        await database.execute(statement, *values)
    cpu_s, server_s = (cpu_of(pid) - was for pid, was in zip(pids, before, strict=True))
    return Cost(
        events=events,
        seconds=time.perf_counter() - started,
        cpu_s=cpu_s,
        server_s=server_s,
        memory_mb=psutil.Process().memory_info().rss >> 20,
    )


async def fill(stack: Stack) -> None:
    """Publish what the worker is to apply: snapshots of users, each newer than the one before."""
    ids = [new_user_id() for _ in range(USERS)]
    told = [
        Told(event_id=new_event_id(), body=json.loads(user_event(ids[n % USERS], at=n)))
        for n in range(EVENTS)
    ]
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers) as producer:
        await publish(producer, told)


async def measure_worker(stack: Stack, logs: Path) -> Cost:
    """Measure one worker with everything on, from its first events to its last."""
    port = free_port()
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "DATABASE_URL": stack.database_url,
        "WORKER_METRICS_PORT": str(port),
        "LOG_FORMAT": "json",
    }
    database = await asyncpg.connect(stack.database_url)
    program = pinned(["-m", "workers"], environment, log=logs / "worker.log", port=port)
    with Process(program) as worker:
        begun = await until(lambda: count_events(database), bool)
        started, before = time.perf_counter(), cpu_of(worker.pid)
        server_before = await backends_cpu(database, "clerkwork-worker")
        await until(lambda: count_events(database), EVENTS.__eq__, within_s=300)
        cost = Cost(
            events=EVENTS - begun,
            seconds=time.perf_counter() - started,
            cpu_s=cpu_of(worker.pid) - before,
            server_s=await backends_cpu(database, "clerkwork-worker") - server_before,
            memory_mb=psutil.Process(worker.pid).memory_info().rss >> 20,
        )
    await database.close()
    return cost


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        running_stack(data=Path(name)) as stack,
    ):
        asyncio.run(prepare(stack))
        os.sched_setaffinity(0, {1})
        asyncio.run(fill(stack))
        limit = asyncio.run(measure_limit(stack.database_url))
        worker = asyncio.run(measure_worker(stack, Path(name)))
        naive = asyncio.run(measure_naive(stack.database_url))
    print(f"set-based upsert   {limit}")
    for title, cost in (("worker", worker), ("row at a time", naive)):
        print(f"{title:18} {cost}   {cost.per_second / limit.per_second:.3f} of the limit")


if __name__ == "__main__":
    main()
