"""A filled database and what waits for its workers, to measure growth, backlogs and cost on."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schema.kafka.topics import USER_EVENTS
from schema.postgres.statements import read_statements
from tests.bench.events import publish_events
from tests.bench.fill import fill
from tests.leftovers import skip_leftovers
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from tests.bench.bench import Bench

    Connection = asyncpg.Connection[asyncpg.Record]

_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A database with so many users."""

    bench: Bench
    url: str
    database: Connection
    users: int

    async def publish(self, count: int, *, seed: int) -> Backlog:
        """Put so many events on Kafka, and return what tells how far they are applied."""
        begins = await self.find_ends()
        async with AIOKafkaProducer(
            bootstrap_servers=self.bench.stack.bootstrap_servers,
            max_batch_size=1 << 20,
            linger_ms=0,
        ) as producer:
            await publish_events(producer, count, users=self.users, seed=seed)
        return Backlog(stage=self, begins=begins, count=count)

    async def settle(self) -> None:
        """Be between two checkpoints.

        Every page of the rows that events change is used and changed, as minutes of events would:
        none is read, or written whole into the WAL, for the first time.
        """
        await self.database.execute("CHECKPOINT")
        for name in ("users", "user_data", "user_names"):
            await self.database.execute(_SQL[f"meet_{name}"])

    async def find_applied(self) -> dict[int, int]:
        """Return the offset after what is applied, for each partition that anything is of."""
        rows = await self.database.fetch(_SQL["find_applied"])
        return {row["partition"]: row["next_offset"] for row in rows}

    async def find_ends(self) -> dict[int, int]:
        """Return where each partition ends."""
        servers = self.bench.stack.bootstrap_servers
        async with AIOKafkaConsumer(bootstrap_servers=servers) as consumer:
            numbers = range(USER_EVENTS.partitions)
            ends = await consumer.end_offsets(
                [TopicPartition(USER_EVENTS.name, number) for number in numbers]
            )
        return {place.partition: offset for place, offset in ends.items()}


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """Events that wait in Kafka, or have waited."""

    stage: Stage
    begins: Mapping[int, int]
    """Where they begin in each partition."""
    count: int

    async def count_applied(self) -> int:
        """Return how many of them are applied."""
        applied = await self.stage.find_applied()
        return sum(
            max(0, applied.get(partition, first) - first)
            for partition, first in self.begins.items()
        )

    async def reach(self, count: int, *, within_s: float = 600) -> None:
        """Wait until so many are applied."""
        await until(self.count_applied, lambda found: found >= count, within_s=within_s)


@contextlib.asynccontextmanager
async def over(bench: Bench, users: int) -> AsyncIterator[Stage]:
    """Have a database with so many users over the Kafka and the PostgreSQL of a bench.

    It is a copy of one that only the first is filled for.
    """
    await skip_leftovers(bench.stack.bootstrap_servers)  # of other experiments
    full = await bench.template(f"bench_users_{users}", partial(fill, users=users))
    async with bench.database(full) as url:
        database = await asyncpg.connect(url)
        try:
            yield Stage(bench=bench, url=url, database=database, users=users)
        finally:
            await database.close()
