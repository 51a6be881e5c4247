"""Observe every station: the processes' own metrics, Kafka's offsets, PostgreSQL's counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.parser import text_string_to_metric_families

from deploy.topics import connected_admin
from schema.kafka.topics import CLERK_EVENTS, DEAD_LETTER_TOPICS, GROUP
from schema.postgres.statements import read_statements

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping

    from aiokafka.admin import AIOKafkaAdminClient

    from deploy.demo.board import Board
    from deploy.system import System
    from schema.kafka.topics import Topic

_SQL: Final = read_statements(__file__)


def partitions(topics: Iterable[Topic]) -> list[TopicPartition]:
    """Return every partition of the topics."""
    return [TopicPartition(topic.name, n) for topic in topics for n in range(topic.partitions)]


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Looks at everything and changes nothing."""

    system: System
    http: aiohttp.ClientSession
    database: asyncpg.Connection[asyncpg.Record]
    consumer: AIOKafkaConsumer
    admin: AIOKafkaAdminClient

    async def look(self, board: Board) -> None:
        """Bring the board up to date; what does not answer keeps its last figures."""
        await asyncio.gather(
            self._look_at_metrics(board), self._look_at_kafka(board), self._look_at_database(board)
        )
        board.tell()

    async def _look_at_metrics(self, board: Board) -> None:
        ingest, worker, relay, api = await asyncio.gather(
            self._scrape("ingest", "clerkwork_webhooks_total", "answer"),
            self._scrape("worker", "clerkwork_events_total", "outcome"),
            self._scrape("relay", "clerkwork_changes_published_total", "topic"),
            self._scrape("api", "clerkwork_http_request_seconds_count", "route"),
        )
        board.taken = ingest or board.taken
        board.outcomes = worker or board.outcomes
        board.told = relay.total() or board.told
        board.api_requests = sum(n for route, n in api.items() if route.startswith("/v1/"))

    async def _scrape(self, name: str, sample: str, label: str) -> Counter[str]:
        url = f"{self.system.services.named[name].url}/metrics"
        try:
            async with self.http.get(url) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError):
            return Counter()
        found = Counter[str]()
        for family in text_string_to_metric_families(text):
            for each in family.samples:
                if each.name == sample:
                    found[each.labels[label]] += int(each.value)
        return found

    async def _look_at_kafka(self, board: Board) -> None:
        sources, letters = partitions(CLERK_EVENTS), partitions(DEAD_LETTER_TOPICS)
        try:
            ends: dict[TopicPartition, int] = await self.consumer.end_offsets([*sources, *letters])
            committed: Mapping[TopicPartition, Any] = await self.admin.list_consumer_group_offsets(
                GROUP
            )
        except KafkaError:
            return
        done = {place: max(held.offset, 0) for place, held in committed.items()}
        board.records = sum(ends[place] for place in sources)
        board.letters = sum(ends[place] for place in letters)
        board.waiting = sum(ends[place] - done.get(place, 0) for place in sources)

    async def _look_at_database(self, board: Board) -> None:
        try:
            row = await self.database.fetchrow(_SQL["count"])
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return
        if row:
            board.users, board.deleted, board.events, board.untold = row


@asynccontextmanager
async def observing(system: System) -> AsyncIterator[Observer]:
    """Open what it takes to look, while the context lasts."""
    servers = system.stack.bootstrap_servers
    async with AsyncExitStack() as stack:
        timeout = aiohttp.ClientTimeout(total=2)
        http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        database = await asyncpg.connect(system.stack.database_url)
        stack.push_async_callback(database.close)
        consumer = AIOKafkaConsumer(bootstrap_servers=servers)
        stack.push_async_callback(consumer.stop)
        await consumer.start()
        admin = await stack.enter_async_context(connected_admin({"bootstrap_servers": servers}))
        yield Observer(system=system, http=http, database=database, consumer=consumer, admin=admin)
