"""Backfill, reconcile and workers die by SIGKILL while webhooks get lost: in the end all is true.

Real processes, real servers, and a Clerk whose world goes on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import asyncpg
import pytest

from deploy.standin.app import LIVE_KEY, running_stand_in
from deploy.standin.trouble import Trouble
from deploy.standin.world import World
from ingest.prepare import Delivery, prepare
from tests.chaos.promises import count_in_ledger
from tests.integration.deploy.truth.model import changed, found, untrue, wrongly_open
from tests.integration.deploy.truth.post import Post
from tests.integration.workers.order.told import wrongly_told
from tests.waiting import until

if TYPE_CHECKING:
    import random
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiokafka import AIOKafkaProducer

    from deploy.stack import Process
    from deploy.standin.told import Told
    from tests.conftest import Servers

    Database = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
    StartWorker = Callable[..., Process]

USERS: Final = 1_200
"""Enough for three pages."""
LATENCY_S: Final = 0.1
"""How long Clerk takes to answer: most deaths come between two pages."""
REPAIR: Final = ("reconcile", "--repair", "--force", "--settle", "0", "--json")


@dataclass(kw_only=True)
class Town:
    """A Clerk, the webhooks that it sends, and an operator's commands."""

    post: Post
    trouble: Trouble
    environment: Mapping[str, str]
    producer: AIOKafkaProducer
    told: list[Told]
    """What is to be put on Kafka."""
    sent: set[str] = field(default_factory=set)
    """The svix-ids of what is there."""

    async def flush(self) -> None:
        """Put on Kafka what has been delivered, as ingest does."""
        told, self.told[:] = list(self.told), []
        for each in told:
            delivery = Delivery(body=each.body, event_id=each.event_id, request_id="chaos")
            record = prepare(delivery, instance_id=None).record
            await self.producer.send(
                record.topic, record.value, key=record.key, headers=list(record.headers)
            )
        await self.producer.flush()
        self.sent |= {each.event_id for each in told}

    async def go_on(self, chance: random.Random) -> None:
        """Have things happen until cancelled."""
        while True:
            self.post.happen(chance, most=3)
            if chance.random() < 0.3:
                self.post.arrive(chance, 3)
            await self.flush()
            await asyncio.sleep(0.03)  # the pace of the world, nothing that is waited for

    async def run(self, *words: str) -> str:
        """Run a command of the console to its end, and return what it prints."""
        process = await self._start(*words)
        said, complaint = await process.communicate()
        assert process.returncode == 0, (said + complaint).decode()
        return said.decode()

    async def kill(self, *words: str, after_requests: int) -> None:
        """Run a command of the console, and kill it once it has asked Clerk so often."""
        asked = self.trouble.asked.total() + after_requests
        process = await self._start(*words)
        ended = asyncio.create_task(process.communicate())
        await until(self._asked, lambda count: count >= asked or ended.done())
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await ended

    async def _asked(self) -> int:
        return self.trouble.asked.total()

    async def _start(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy", *words),
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )


@pytest.fixture
async def town(
    chance: random.Random, servers: Servers, database_url: str, producer: AIOKafkaProducer
) -> AsyncIterator[Town]:
    """A Clerk with some pages of users, of whom nobody here has heard."""
    world = World(chance.getrandbits(32), now_ms=time.time_ns() // 1_000_000)
    world.populate(USERS, organizations=5, members=6)
    trouble = Trouble(latency_s=LATENCY_S, requests_per_10_s=10**6)
    async with running_stand_in(world, trouble) as url:
        environment = {
            "PATH": os.environ["PATH"],
            "CLERK_API_URL": url,
            "CLERK_SECRET_KEY": LIVE_KEY,
            "KAFKA_BOOTSTRAP_SERVERS": servers.bootstrap_servers,
            "DATABASE_URL": database_url,
        }
        told: list[Told] = []
        yield Town(
            post=Post(world, told.append),
            trouble=trouble,
            environment=environment,
            producer=producer,
            told=told,
        )


async def test_killed_looks_and_lost_webhooks_end_true_to_clerk(
    chance: random.Random,
    town: Town,
    start_worker: StartWorker,
    database: Database,
    database_url: str,
) -> None:
    """Killed at any request and gone on with, they leave what Clerk has, and find nothing more."""
    worker = await asyncio.to_thread(start_worker, database_url)
    world = asyncio.create_task(town.go_on(chance))
    for _ in range(2):
        await town.kill("backfill", after_requests=chance.randint(2, 8))
    await asyncio.to_thread(worker.kill)
    backfill = asyncio.create_task(town.run("backfill"))
    await asyncio.to_thread(start_worker, database_url)
    await backfill
    await town.kill(*REPAIR, after_requests=chance.randint(4, 14))
    world.cancel()
    await asyncio.wait([world])
    town.post.world.advance(1_000)  # what is younger than a second is not missed yet

    async with asyncpg.create_pool(database_url, min_size=1, max_size=2) as pool:
        await town.run(*REPAIR)
        assert await _wrong(pool, town) == []
        assert not await wrongly_open(pool, town.post.world)
        assert json.loads(await town.run("reconcile", "--settle", "0", "--json"))["left"] == 0
        before = await found(pool)
        town.post.find_the_lost()
        town.post.arrive(chance)
        await town.flush()
        await until(lambda: count_in_ledger(database, list(town.sent)), len(town.sent).__eq__)
        assert not changed(before, await found(pool))
        assert await _wrong(pool, town) == []


async def _wrong(pool: Pool, town: Town) -> list[str]:
    return [*await untrue(pool, town.post.world), *await wrongly_told(pool)]
