"""A filled database with one process over it: what growth and cost are measured on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.stack import Process, Program, running_stack
from deploy.stack.ports import free_port
from deploy.tokens import mint_token, new_private_key, public_key
from schema.kafka.topics import USER_EVENTS
from schema.postgres.statements import read_statements
from tests.bench.cost_meter import Meter
from tests.bench.growth_events import publish_events
from tests.bench.growth_fill import execute_found, fill, prepare
from tests.leftovers import skip_leftovers
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from deploy.stack import Stack
    from tests.bench.bench import Bench

    Connection = asyncpg.Connection[asyncpg.Record]

SERVED_CORE: Final = "0"
"""For the process that is measured; its servers and whoever asks it are on the other one."""
TUNED: Final[Mapping[str, str]] = {
    "shared_buffers": "4GB",
    "max_wal_size": "32GB",
    "checkpoint_timeout": "30min",
}
"""Settings of PostgreSQL for a database that is larger than a laptop's."""
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A stack with so many users."""

    stack: Stack
    database: Connection
    users: int
    logs: Path

    @contextlib.contextmanager
    def running(
        self, module: str, port_name: str, **settings: str
    ) -> Iterator[tuple[Process, int]]:
        """Run a process of clerkwork on its core; yield it and its port."""
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "KAFKA_BOOTSTRAP_SERVERS": self.stack.bootstrap_servers,
            "DATABASE_URL": self.stack.database_url,
            "LOG_FORMAT": "json",
            port_name: str(port),
            **settings,
        }
        program = Program(
            name=module,
            command=["taskset", "-c", SERVED_CORE, sys.executable, "-m", module],
            environment=environment,
            log=self.logs / f"{module}.log",
            ready=lambda: _answers(port),
        )
        with Process(program) as process:
            yield process, port

    def meter(self, processes: Mapping[str, int]) -> Meter:
        """Return what reads the use of the stack and of these processes."""
        return Meter(stack=self.stack, database=self.database, processes=processes)

    async def publish(self, count: int, *, seed: int) -> Backlog:
        """Put so many events on Kafka, and return what tells how far they are applied."""
        servers = self.stack.bootstrap_servers
        before = await self.find_ends()
        async with AIOKafkaProducer(
            bootstrap_servers=servers, max_batch_size=1 << 20, linger_ms=0
        ) as producer:
            await producer.partitions_for(USER_EVENTS.name)
            await publish_events(producer, count, users=self.users, seed=seed)
        return Backlog(stage=self, begins=before, count=count)

    @contextlib.asynccontextmanager
    async def steady(self) -> AsyncIterator[None]:
        """Have checkpoints as seldom as a large database should, and be between two of them.

        Every page of the rows that events change is used and changed, as minutes of events would:
        none is read, or written whole into the WAL, for the first time.
        """
        await execute_found(self.database, "make_seldom")
        await self.database.execute("SELECT pg_reload_conf()")
        try:
            await self.database.execute("CHECKPOINT")
            for name in ("users", "user_data", "user_names"):
                await self.database.execute(_SQL[f"meet_{name}"])
            yield
        finally:
            await execute_found(self.database, "make_usual")
            await self.database.execute("SELECT pg_reload_conf()")

    async def find_ends(self) -> dict[int, int]:
        """Return where each partition ends."""
        async with AIOKafkaConsumer(bootstrap_servers=self.stack.bootstrap_servers) as consumer:
            numbers = range(USER_EVENTS.partitions)
            ends = await consumer.end_offsets(
                [TopicPartition(USER_EVENTS.name, number) for number in numbers]
            )
        return {place.partition: offset for place, offset in ends.items()}

    async def find_applied(self) -> dict[int, int]:
        """Return how far each partition is applied, those that are begun."""
        rows = await self.database.fetch(_SQL["find_applied"])
        return {row["partition"]: row["next_offset"] for row in rows}


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
            stack = replace(bench.stack, database_url=url)
            yield Stage(stack=stack, database=database, users=users, logs=bench.directory)
        finally:
            await database.close()


@contextlib.asynccontextmanager
async def staged(data: Path, users: int, *, tuned: bool = False) -> AsyncIterator[Stage]:
    """Start a stack with its data there, filled as far as it must be.

    PostgreSQL has its own defaults, or `tuned` what deploy/docs/scale.md says of its settings.
    """
    with running_stack(data=data) as stack:
        await prepare(stack)
        await fill(stack.database_url, users)
        await _set(stack, TUNED if tuned else {})
        database = await asyncpg.connect(stack.database_url)
        try:
            yield Stage(stack=stack, database=database, users=users, logs=data)
        finally:
            await database.close()


async def _set(stack: Stack, settings: Mapping[str, str]) -> None:
    database = await asyncpg.connect(stack.database_url)
    await database.execute("ALTER SYSTEM RESET ALL")
    for name, value in settings.items():
        await database.execute(f"ALTER SYSTEM SET {name} = '{value}'")
    await database.close()
    assert stack.postgres
    stack.postgres.restart()


def _answers(port: int) -> bool:
    """Tell whether somebody serves there, ready or not."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
    except urllib.error.HTTPError as error:
        error.close()
    return True


def make_signer() -> tuple[str, str]:
    """Return a key's public half and a session token that it has signed."""
    key = new_private_key()
    return public_key(key), mint_token(key, user_id="user_x", minutes=60)


async def read_all(port: int, paths: Sequence[str], token: str, *, connections: int = 16) -> float:
    """Ask for all of these, so many at a time; return how many were answered a second."""
    remaining = iter(paths)

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in remaining:
            head = f"GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            length = answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(connections)))
    return len(paths) / (time.perf_counter() - started)
