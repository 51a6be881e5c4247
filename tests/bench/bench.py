"""What every experiment is given: servers, cores, and clocks of CPU time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import asyncpg
import msgspec
import psutil

from deploy.migrate import migrate
from deploy.stack import Process, Program
from deploy.stack.ports import LOOPBACK, free_port
from deploy.topics import apply_topics, connected_admin
from tests.bench.cores import Cores, on_all, share_cores
from tests.bench.log_files import make_log_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from deploy.stack import Stack
    from tests.bench.figure import Curve

T = TypeVar("T")

TEMPLATE: Final = "bench_template"
"""The name of a migrated, empty database that others are copied from."""
PORTS: Final[Mapping[str, str]] = {
    "ingest": "INGEST_PORT",
    "workers": "WORKER_METRICS_PORT",
    "workers.relay": "RELAY_METRICS_PORT",
    "api": "API_PORT",
}
"""Module -> the environment variable that tells it its port; of others it is PORT."""
RIVAL_S: Final = 120.0
"""How long a rival may take."""


class RivalError(Exception):
    """A process that something is compared with came to no end; the message has its log."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A process that is measured."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    def cpu_s(self) -> float:
        """Return the CPU time that it and its children have used, in seconds."""
        return cpu_s_of(self.pid)

    def rss_mb(self) -> float:
        """Return the memory that it and its children hold, in MB."""
        process = psutil.Process(self.pid)
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_info().rss for each in family) / 1e6


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A running Kafka and PostgreSQL, and what is needed to measure beside them.

    The process of the bench itself, Kafka and PostgreSQL are kept to `cores.rest`.
    """

    stack: Stack
    directory: Path
    """For logs and for whatever an experiment writes."""

    quick: bool = False
    """Whether to go through everything once with little of it."""

    cores: Cores = field(default_factory=share_cores)
    curves: list[Curve] = field(default_factory=list)
    """What the run going on wants drawn."""

    def choose(self, full: T, quick: T) -> T:
        """Return how much there is to do."""
        return quick if self.quick else full

    def keep(self, name: str, content: bytes) -> Path:
        """Write a file for the processes that are run; return its path."""
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / name
        path.write_bytes(content)
        return path

    async def prepare(self) -> None:
        """Make topics, and a database to copy."""
        async with connected_admin({"bootstrap_servers": self.stack.bootstrap_servers}) as admin:
            await apply_topics(admin)
        await execute(self.stack.database_url, f"CREATE DATABASE {TEMPLATE}")
        await migrate(self._on(TEMPLATE))
        if not self.quick:
            await make_log_files(self.stack.database_url)

    async def template(self, name: str, fill: Callable[[str], Awaitable[object]]) -> str:
        """Return the name of a database to copy, migrated and filled unless it is there."""
        connection = await asyncpg.connect(self.stack.database_url)
        there = await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name)
        await connection.close()
        if there is None:
            await execute(self.stack.database_url, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
            await fill(self._on(name))
        return name

    @contextlib.asynccontextmanager
    async def database(self, template: str = TEMPLATE) -> AsyncIterator[str]:
        """Have a copy of a migrated database, an empty one unless said; yield its URL."""
        name = f"bench_{uuid.uuid4().hex}"
        await execute(
            self.stack.database_url,
            f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY",
        )
        try:
            yield self._on(name)
        finally:
            await execute(self.stack.database_url, f"DROP DATABASE {name} WITH (FORCE)")

    def environment(self, **variables: str) -> Mapping[str, str]:
        """Return the environment of a service of ours: where Kafka is, and what is given."""
        inherited = {
            name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ
        }
        common = {"KAFKA_BOOTSTRAP_SERVERS": self.stack.bootstrap_servers, "LOG_FORMAT": "json"}
        return inherited | common | variables

    @contextlib.asynccontextmanager
    async def serving(
        self,
        *module: str,
        port: int | None = None,
        cores: Sequence[int] | None = None,
        settings: Mapping[str, str] | None = None,
        **variables: str,
    ) -> AsyncIterator[Server]:
        """Run `python -m module …` on the server's core, or on `cores`, until it is not needed.

        It is told its port, any that is free unless given, by an environment variable, and yielded
        once `/readyz` there answers, be it that there is no such page. Raises StackError when it
        does not.
        """
        port = port or free_port()
        listed = ",".join(map(str, self.cores.server if cores is None else cores))
        program = Program(
            name=" ".join(module),
            command=["taskset", "-c", listed, sys.executable, "-m", *module],
            environment=self.environment(
                **{PORTS.get(module[0], "PORT"): str(port)}, **(settings or {}), **variables
            ),
            log=self.directory / f"{module[0]}.log",
            ready=partial(answers, port),
        )
        process = Process(program)
        await asyncio.to_thread(process.start)
        try:
            yield Server(pid=process.pid, port=port)
        finally:
            await asyncio.to_thread(process.stop)

    @contextlib.contextmanager
    def together(self, *servers: Server) -> Iterator[None]:
        """Let these servers, Kafka, PostgreSQL and the bench use all cores, while it lasts."""
        assert self.stack.kafka
        assert self.stack.postgres
        ours = [os.getpid(), self.stack.kafka.pid, self.stack.postgres.pid]
        with on_all(self.cores, [*ours, *(server.pid for server in servers)]):
            yield

    async def run(self, *module: str, **variables: str) -> Mapping[str, float]:
        """Run `python -m module …` on the server's core to its end.

        Returns the JSON of its last line. Raises RivalError when it fails, TimeoutError when it
        takes more than RIVAL_S.
        """
        listed = ",".join(map(str, self.cores.server))
        log = self.directory / f"{module[0]}.log"
        with log.open("ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *("taskset", "-c", listed, sys.executable, "-m", *module),
                env=self.environment(**variables),
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
            )
            try:
                async with asyncio.timeout(RIVAL_S):
                    said, _ = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        if process.returncode:
            raise RivalError(f"{module[0]} ended with {process.returncode}:\n{log.read_text()}")
        return msgspec.json.decode(said.strip().rpartition(b"\n")[2], type=dict[str, float])

    def postgres_cpu_s(self) -> float:
        """Return the CPU time that PostgreSQL has used, those of its processes that ended too."""
        assert self.stack.postgres
        return cpu_s_of(self.stack.postgres.pid)

    def kafka_cpu_s(self) -> float:
        """Return the CPU time that Kafka has used."""
        assert self.stack.kafka
        return cpu_s_of(self.stack.kafka.pid)

    def _on(self, name: str) -> str:
        return f"{self.stack.database_url.rpartition('/')[0]}/{name}"


@dataclass(kw_only=True)
class Cost:
    """What something has taken, from the beginning of `measuring` to its end."""

    seconds: float = 0.0
    cpu_s: float = 0.0
    """CPU time of the server."""


@contextlib.contextmanager
def measuring(*servers: Server) -> Iterator[Cost]:
    """Measure what happens in the context; read the cost after it."""
    cost = Cost()
    began, before = time.perf_counter(), [server.cpu_s() for server in servers]
    yield cost
    cost.seconds = time.perf_counter() - began
    cost.cpu_s = sum(server.cpu_s() for server in servers) - sum(before)


def cpu_s_of(pid: int) -> float:
    """Return the CPU time in seconds of a process and all its children, also those that ended."""
    process = psutil.Process(pid)
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(each.cpu_times()[:4])
    return total


async def execute(url: str, statement: str) -> None:
    """Run one statement."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def answers(port: int) -> bool:
    """Tell whether somebody serves there; who says not yet does not."""
    try:
        urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=5).close()
    except urllib.error.HTTPError as error:
        with error:
            return error.code != 503
    return True
