"""An event through the worker: from Kafka to committed rows, ledger, histories and outbox."""

from __future__ import annotations

import asyncio
import json
import uuid
from contextlib import AsyncExitStack
from functools import cache
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from deploy.topics import connected_admin
from tests.bench.bench import measuring
from tests.bench.figure import CORE, LIMIT, NAIVE, OURS, Experiment, Figure, Promise
from tests.chaos.stories import record_of
from tests.factories import new_event_id, new_user_id, user_event
from tests.integration.workers.order.facts import Told
from tests.leftovers import skip_leftovers
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from schema.kafka.producer import Record
    from tests.bench.bench import Bench, Server

    Connection = asyncpg.Connection[asyncpg.Record]

TABLES: Final = "same tables"
TWO: Final = "two workers"


@cache
def make_records(events: int, users: int) -> Sequence[Record]:
    """Return what ingest would publish: snapshots, each newer than the one of its user before."""
    ids = [new_user_id() for _ in range(users)]
    return [
        record_of(Told(event_id=new_event_id(), body=json.loads(user_event(ids[n % users], at=n))))
        for n in range(events)
    ]


async def publish(bench: Bench, records: Sequence[Record], *, topic: str | None = None) -> None:
    """Put records on Kafka, into their own topics or all into `topic`."""
    async with AIOKafkaProducer(
        bootstrap_servers=bench.stack.bootstrap_servers, linger_ms=5, max_batch_size=1 << 18
    ) as producer:
        futures = [
            await producer.send(
                topic or each.topic, each.value, key=each.key, headers=list(each.headers)
            )
            for each in records
        ]
        await asyncio.gather(*futures)


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure the two limits, one worker, two workers, and one event after the other."""
    events, users = bench.choose((40_000, 5_000), (1_000, 100))
    rows = max(events, 5_000)  # some batches more than warm it up
    found = {
        LIMIT: await measure_upsert(bench, "ready", rows=rows, users=users),
        TABLES: await measure_upsert(bench, "tables", rows=rows, users=users),
    }
    records = make_records(events, users)
    for who, count in ((OURS, 1), (TWO, 2)):
        found[who] = await measure_workers(bench, records, count=count)
    found[NAIVE] = await measure_naive(bench, records[: bench.choose(2_000, 100)])
    return found


async def measure_upsert(bench: Bench, what: str, *, rows: int, users: int) -> Mapping[str, float]:
    """Measure a set-based upsert of ready rows."""
    async with bench.database() as url:
        before = bench.postgres_cpu_s()
        said = await bench.run(
            "tests.bench.rivals.upsert", what, str(rows), str(users), DATABASE_URL=url
        )
        return {"rate": said["rate"], "postgres": (bench.postgres_cpu_s() - before) / rows * 1e6}


async def measure_workers(
    bench: Bench, records: Sequence[Record], *, count: int
) -> Mapping[str, float]:
    """Measure so many workers on a backlog; more than one may have every core."""
    await skip_leftovers(bench.stack.bootstrap_servers)  # of other experiments
    await publish(bench, records)
    every = [*bench.cores.server, *bench.cores.rest]
    async with bench.database() as url, AsyncExitStack() as running:
        database = await asyncpg.connect(url)
        running.push_async_callback(database.close)
        workers = [
            await running.enter_async_context(
                bench.serving("workers", cores=every if count > 1 else None, DATABASE_URL=url)
            )
            for _ in range(count)
        ]
        return await _drain(bench, database, workers, events=len(records))


async def _drain(
    bench: Bench, database: Connection, workers: Sequence[Server], *, events: int
) -> Mapping[str, float]:
    async def applied() -> int:
        return await database.fetchval("SELECT count(*) FROM events")

    begun = await until(applied, lambda found: found >= events // 10)
    before = bench.postgres_cpu_s()
    with measuring(*workers) as cost:
        await until(applied, events.__eq__, within_s=300)
    rest = max(1, events - begun)
    return {
        "rate": rest / cost.seconds,
        "cpu": cost.cpu_s / rest * 1e6,
        "postgres": (bench.postgres_cpu_s() - before) / rest * 1e6,
        "core": cost.cpu_s / cost.seconds * 100,
        "memory": max(worker.rss_mb() for worker in workers),
    }


async def measure_naive(bench: Bench, records: Sequence[Record]) -> Mapping[str, float]:
    """Measure a consumer of one event after the other, on a topic of its own."""
    topic = f"bench.naive-{uuid.uuid4().hex}"
    async with connected_admin({"bootstrap_servers": bench.stack.bootstrap_servers}) as admin:
        await admin.create_topics([NewTopic(topic, 1, 1)])
    await publish(bench, records, topic=topic)
    async with bench.database() as url:
        before = bench.postgres_cpu_s()
        said = await bench.run(
            "tests.bench.rivals.worker", topic, str(len(records)), DATABASE_URL=url
        )
        used = (bench.postgres_cpu_s() - before) / len(records) * 1e6
        return {"rate": said["rate"], "postgres": used}


EXPERIMENT: Final = Experiment(
    name="worker",
    says="A backlog of snapshots of 5,000 users, applied and committed; each process on one core,"
    " PostgreSQL and Kafka beside it.",
    contestants={
        LIMIT: "a set-based upsert of ready rows into one table",
        TABLES: "a set-based insert of ready rows into users, ledger and outbox",
        OURS: "one worker with everything on",
        TWO: "two of them, on all cores together with PostgreSQL",
        NAIVE: "a FastStream consumer, one event and one transaction after the other",
    },
    figures=(
        Figure(
            name="rate",
            says="events that are committed in a second",
            unit="/s",
            promises=(Promise(bound=0.35),),
        ),
        Figure(name="cpu", says="CPU time of the worker for each event", unit="us", better="less"),
        Figure(
            name="postgres", says="CPU time of PostgreSQL for each event", unit="us", better="less"
        ),
        CORE,
        Figure(
            name="memory",
            says="resident memory of the process",
            unit="MB",
            better="less",
            of_limit=False,
            promises=(Promise(bound=200, of=None),),
        ),
    ),
    measure=measure,
)
