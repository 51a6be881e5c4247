"""A stand-in for Clerk, a worker, and an operator who fills the tables."""

from __future__ import annotations

import io
import os
import sys
import zlib
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from rich.console import Console

from deploy.backfill.run import Filled, Wishes, backfill
from deploy.backfill.settings import BackfillSettings
from deploy.environment import ROOT
from deploy.stack.ports import free_port
from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from ingest.prepare import Delivery, prepare
from schema.kafka.headers import read_headers
from schema.kafka.snapshots import SNAPSHOT
from schema.kafka.topics import CLERK_EVENTS, GROUP
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    import asyncpg
    from aiokafka import AIOKafkaProducer

    from deploy.standin.told import Told
    from tests.conftest import ReadTopic

    Database = asyncpg.Connection[asyncpg.Record]


@dataclass(kw_only=True)
class Scene:
    """A clerkwork in miniature beside a Clerk of its own."""

    world: World
    trouble: Trouble
    url: str
    database: Database
    producer: AIOKafkaProducer
    read_topic: ReadTopic
    said: io.StringIO = field(default_factory=io.StringIO)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """Have a worker while the context lasts."""
        async with running_worker(WorkerSettings()):
            yield

    async def fill(self, **wishes: Any) -> Filled:
        """Backfill as an operator would."""
        return await backfill(BackfillSettings(), Wishes(**wishes), self.console)

    @property
    def console(self) -> Console:
        """What the operator looks at."""
        return Console(file=self.said, soft_wrap=True, highlight=False)

    @property
    def command(self) -> list[str]:
        """What the operator types, who has the settings in the environment."""
        return [sys.executable, "-m", "deploy", "backfill"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process of its own."""
        return {**os.environ, "PYTHONPATH": str(ROOT), "LOG_FORMAT": "json"}

    async def tell(self, told: Iterable[Told]) -> None:
        """Put webhooks on Kafka, as ingest would."""
        for each in told:
            delivery = Delivery(body=each.body, event_id=each.event_id, request_id="tests")
            record = prepare(delivery, instance_id=None).record
            await self.producer.send_and_wait(
                record.topic, record.value, key=record.key, headers=list(record.headers)
            )

    async def users(self) -> dict[str, asyncpg.Record]:
        """Return the rows, by Clerk's id."""
        rows = await self.database.fetch("SELECT * FROM users")
        return {row["clerk_id"]: row for row in rows}

    async def versions(self) -> dict[str, int]:
        """Return the version of each user."""
        return {clerk_id: row["version"] for clerk_id, row in (await self.users()).items()}

    async def snapshots(self) -> Counter[tuple[str, str]]:
        """Return how often each user's snapshot is on Kafka, by Clerk's id and the record's."""
        found = Counter[tuple[str, str]]()
        for record in await self.read_topic("clerk.user-events"):
            headers = read_headers(record.headers)
            about = headers.get("ce_subject", "")
            if headers.get("ce_type") == f"{SNAPSHOT}user" and about in self.world.users:
                found[about, headers["ce_id"]] += 1
        return found

    async def outbox(self) -> int:
        """Return how much others were told."""
        return int(await self.database.fetchval("SELECT count(*) FROM outbox"))


@pytest.fixture
async def scene(
    request: pytest.FixtureRequest,
    bootstrap_servers: str,
    database_url: str,
    database: Database,
    producer: AIOKafkaProducer,
    read_topic: ReadTopic,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Scene]:
    """A Clerk with users of this test's own, for every test shares the topics."""
    world, trouble = World(seed=zlib.crc32(request.node.name.encode())), Trouble()
    async with running_stand_in(world, trouble) as url:
        for name, value in {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "DATABASE_URL": database_url,
            "WORKER_METRICS_PORT": str(free_port()),
            "CLERK_API_URL": url,
            "CLERK_SECRET_KEY": LIVE_KEY,
        }.items():
            monkeypatch.setenv(name, value)
        await _pass_over(bootstrap_servers)
        yield Scene(
            world=world,
            trouble=trouble,
            url=url,
            database=database,
            producer=producer,
            read_topic=read_topic,
        )
    await _pass_over(bootstrap_servers)


async def _pass_over(bootstrap_servers: str) -> None:
    """Have workers begin after what is on the topics: nobody waits for what a test has left."""
    async with AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=GROUP, enable_auto_commit=False
    ) as consumer:
        places = [
            TopicPartition(topic.name, number)
            for topic in CLERK_EVENTS
            for number in range(topic.partitions)
        ]
        consumer.assign(places)
        await consumer.commit(await consumer.end_offsets(places))
