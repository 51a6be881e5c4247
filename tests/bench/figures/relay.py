"""A change through the relay: from a committed row to a record that others may read."""

from __future__ import annotations

import asyncio
import time
import urllib.request
import uuid
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka.admin import NewTopic

from deploy.topics import connected_admin
from schema.kafka.headers import read_position
from schema.kafka.topics import USER_CHANGES
from schema.postgres.statements import read_statements
from tests.bench.bench import measuring
from tests.bench.figure import CORE, LIMIT, MEMORY, NAIVE, OURS, Experiment, Figure, Promise
from tests.bench.hear import hearing
from tests.bench.paced import percentiles
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiokafka import ConsumerRecord

    from tests.bench.bench import Bench, Server

    Connection = asyncpg.Connection[asyncpg.Record]

TOGETHER: Final = 5_000
"""Changes that are committed together while the outbox is filled."""
PACED_TOGETHER: Final = 40
"""The same while they come by the clock, as of workers with little to do."""
USERS: Final = 100_000
WARM_S: Final = 2.0
"""What comes first is published and not counted."""
_SQL: Final = read_statements(__file__)


async def tell(connection: Connection, count: int) -> int:
    """Commit so many changes together, as workers do; return the position of the last."""
    async with connection.transaction():
        await connection.execute(_SQL["lock_outbox"])
        return await connection.fetchval(_SQL["tell"], count, USERS)


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure all on the same outbox: ready records, the relay, and one row after the other."""
    backlog, naive = bench.choose((120_000, 1_500), (12_000, 50))
    async with bench.database() as url:
        connection = await asyncpg.connect(url)
        for _ in range(0, backlog, TOGETHER):
            await tell(connection, TOGETHER)
        # Kafka's JVM takes three times as long for what it has not done often.
        await _run_rival(bench, url, "ready", backlog // 2)
        found = {LIMIT: await _run_rival(bench, url, "ready", backlog)}
        found[OURS] = await measure_relay(bench, connection, url)
        found[NAIVE] = await _run_rival(bench, url, "naive", naive)
        await connection.close()
    return found


async def _run_rival(bench: Bench, url: str, what: str, count: int) -> Mapping[str, float]:
    topic = f"bench.{what}-{uuid.uuid4().hex}"
    async with connected_admin({"bootstrap_servers": bench.stack.bootstrap_servers}) as admin:
        await admin.create_topics([NewTopic(topic, USER_CHANGES.partitions, 1)])
    return await bench.run("tests.bench.rivals.relay", what, topic, str(count), DATABASE_URL=url)


async def measure_relay(bench: Bench, connection: Connection, url: str) -> Mapping[str, float]:
    """Have a full outbox emptied; then tell changes at a quarter of that rate."""
    async with bench.serving("workers.relay", DATABASE_URL=url) as relay:
        found = await _drain(relay, await connection.fetchval("SELECT count(*) FROM outbox"))
        with bench.together(relay):
            lags = await measure_lags(bench, connection, rate=found["rate"] / 4)
        return {**found, **percentiles(lags), "memory": relay.rss_mb()}


async def _drain(relay: Server, backlog: int) -> Mapping[str, float]:
    async def published() -> int:
        return await asyncio.to_thread(count_published, relay)

    begun = await until(published, lambda found: found >= backlog // 10)
    with measuring(relay) as cost:
        await until(published, lambda found: found >= backlog)
    rest = max(1, backlog - begun)
    return {
        "rate": rest / cost.seconds,
        "cpu": cost.cpu_s / rest * 1e6,
        "core": cost.cpu_s / cost.seconds * 100,
    }


def count_published(relay: Server) -> int:
    """Return how many changes Kafka has acknowledged."""
    url = f"{relay.url}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  # a server of our own
        text: str = answer.read().decode()
    line = 'clerkwork_changes_published_total{topic="user.changes"} '
    return int(float(text.partition(line)[2].partition("\n")[0] or 0))


async def measure_lags(bench: Bench, connection: Connection, *, rate: float) -> list[float]:
    """Return how long after its commit each change reached a reader, in ms; of some partitions."""
    arrived: dict[int, float] = {}

    def note(record: ConsumerRecord[bytes, bytes]) -> None:
        arrived[read_position(record.headers) or 0] = time.perf_counter()

    ends: list[int] = []
    times: list[float] = []
    async with hearing(bench.stack.bootstrap_servers, note):
        begun = time.perf_counter()
        for number in range(int((WARM_S + bench.choose(6, 0.5)) * rate / PACED_TOGETHER)):
            early = begun + number * PACED_TOGETHER / rate - time.perf_counter()
            await asyncio.sleep(max(0.0, early))
            ends.append(await tell(connection, PACED_TOGETHER))
            times.append(time.perf_counter())

        async def hear_last() -> bool:
            return max(arrived, default=0) > ends[-2]

        await until(hear_last, bool)
    found = ((times[bisect_left(ends, place)], at) for place, at in arrived.items())
    # Who commits may learn of it later than a reader of what is published.
    return [max(0.0, at - told) * 1000 for told, at in found if told > begun + WARM_S]


EXPERIMENT: Final = Experiment(
    name="relay",
    says="A full outbox of 120,000 changes to Kafka's change topic, in their order, in Kafka"
    " transactions; then changes by the clock at a quarter of that rate, 40 in a commit, with all"
    " cores for everything together.",
    contestants={
        LIMIT: "a bare transactional producer of aiokafka that sends ready records",
        OURS: "one relay on its own core",
        NAIVE: "select a row, send it and wait, mark it; one after the other, no transaction",
    },
    figures=(
        Figure(
            name="rate",
            says="changes that are published in a second",
            unit="/s",
            promises=(Promise(bound=20_000, of=None),),
        ),
        Figure(
            name="cpu",
            says="CPU time of the relay for each",
            unit="us",
            better="less",
            of_limit=False,
        ),
        CORE,
        *(
            Figure(
                name=part,
                says=f"from the commit to a reader of committed records, {says}",
                unit="ms",
                better="less",
                of_limit=False,
                promises=promises,
            )
            for part, says, promises in (
                ("p50", "median", ()),
                ("p95", "p95", ()),
                ("p99", "p99", (Promise(bound=50, of=None),)),
            )
        ),
        MEMORY,
    ),
    measure=measure,
)
