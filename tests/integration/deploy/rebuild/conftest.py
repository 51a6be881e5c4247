"""A Kafka of these tests' own, emptied for each: a rebuild reads all that the topics hold."""

from __future__ import annotations

import io
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import not_
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from rich.console import Console

from deploy.rebuild.run import Rebuilt, Wishes, rebuild
from deploy.stack import Kafka
from deploy.stack.ports import free_port
from deploy.topics import apply_topics, connected_admin
from schema.kafka.topics import TOPICS
from tests.chaos.stories import Story, make_story, publish
from tests.integration.workers.order.histories import seeded
from tests.integration.workers.order.tables import differences, found_tables
from tests.memory import scratch_directory
from tests.waiting import until
from workers.app import running_worker
from workers.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiokafka import AIOKafkaProducer

    from tests.integration.workers.order.shapes import Tables

    Database = asyncpg.Connection[asyncpg.Record]


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """A broker of these tests' own."""
    with (
        scratch_directory() as place,
        Kafka(data=place / "kafka", log=place / "kafka.log") as kafka,
    ):
        yield kafka


@pytest.fixture
async def bootstrap_servers(kafka: Kafka) -> str:
    """Its address; it has every topic, with nothing in it, and no consumer group has read any."""
    async with connected_admin({"bootstrap_servers": kafka.bootstrap_servers}) as admin:
        known = {topic.name for topic in TOPICS}
        if old := known.intersection(await admin.list_topics()):
            await admin.delete_topics(list(old))
            await until(admin.list_topics, known.isdisjoint)
            # What groups have read of them is forgotten with them, a moment later.
            for name, _ in await admin.list_consumer_groups():
                await until(partial(admin.list_consumer_group_offsets, name), not_)
        assert await apply_topics(admin) == []
    return kafka.bootstrap_servers


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A clerkwork in miniature, and an operator who rebuilds it."""

    settings: WorkerSettings
    producer: AIOKafkaProducer
    database: Database
    said: io.StringIO = field(default_factory=io.StringIO)

    @asynccontextmanager
    async def worker(self, settings: WorkerSettings | None = None) -> AsyncIterator[None]:
        """Have a worker while the context lasts."""
        async with running_worker(settings or self.settings):
            yield

    async def tell(self, story: Story) -> None:
        """Publish a story and wait until it is applied: by a worker that somebody else runs."""
        await publish(self.producer, story.told)
        await self.applied(story)

    async def applied(self, story: Story) -> None:
        """Wait until all of a story is in the ledger."""
        await until(
            lambda: self.database.fetchval(
                "SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", story.ids
            ),
            lambda count: count == len(set(story.ids)),
            within_s=60,
        )

    async def rebuild(self, settings: WorkerSettings | None = None, **wishes: Any) -> Rebuilt:
        """Rebuild as an operator would, who does not ask himself."""
        chosen: dict[str, Any] = {"yes": True} | wishes
        console = Console(file=self.said, soft_wrap=True, highlight=False)
        return await rebuild(settings or self.settings, Wishes(**chosen), console)

    async def wrong(self, *stories: Story) -> list[str]:
        """Return where the tables are not what an independent model makes of these stories."""
        expected: Tables = {}
        for story in stories:
            for table, rows in story.expected.items():
                expected[table] = expected.get(table, {}) | rows
        async with asyncpg.create_pool(self.url, min_size=0, max_size=1) as pool:
            return differences(expected, await found_tables(pool))

    @property
    def url(self) -> str:
        """The database's."""
        return self.settings.database_url.get_secret_value()

    async def outbox(self) -> list[tuple[str, str]]:
        """Return what others were told, as (type, clerk id), in its order."""
        rows = await self.database.fetch("SELECT type, key FROM outbox ORDER BY position")
        return [(row["type"], row["key"]) for row in rows]


@pytest.fixture
async def scene(
    bootstrap_servers: str,
    database_url: str,
    database: Database,
    producer: AIOKafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    """Servers of this test's own, and settings that lead there."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("WORKER_METRICS_PORT", str(free_port()))
    return Scene(settings=WorkerSettings(), producer=producer, database=database)


@pytest.fixture
def story() -> Story:
    """Some hundred events and looks at Clerk, in disorder, bad ones too."""
    return make_story(seeded(1), events=480, looks=True)
