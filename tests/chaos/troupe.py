"""Worker and ingest processes, to be killed; and the servers that they work with."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import urllib.request
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import psutil

from deploy.stack import Kafka, Postgres, Process, Program
from deploy.stack.ports import LOOPBACK, free_port
from tests.chaos.proxy import Proxy
from tests.factories import ingest_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Arena:
    """A Kafka whose clients all come through a proxy, and a PostgreSQL with a proxy beside it."""

    kafka: Kafka
    postgres: Postgres
    to_kafka: Proxy
    to_postgres: Proxy

    def proxied(self, url: str) -> str:
        """Return the same URL through the proxy."""
        return url.replace(f":{self.postgres.port}/", f":{self.to_postgres.port}/")

    def heal(self) -> None:
        """Have a good network and both servers again. Blocks."""
        self.to_kafka.heal()
        self.to_postgres.heal()
        for server in (self.kafka, self.postgres):
            if not psutil.pid_exists(server.pid):
                server.start()


@contextlib.asynccontextmanager
async def open_arena(data: Path) -> AsyncIterator[Arena]:
    """Start both servers and their proxies; stop them at the end."""
    kafka = Kafka(data=data / "kafka", log=data / "kafka.log")
    postgres = Postgres(data=data / "postgres", log=data / "postgres.log")
    async with Proxy(kafka.port) as to_kafka, Proxy(postgres.port) as to_postgres:
        kafka.advertised_port = to_kafka.port
        with kafka, postgres:
            yield Arena(kafka=kafka, postgres=postgres, to_kafka=to_kafka, to_postgres=to_postgres)


class Troupe:
    """Processes that nobody has to stop. Its methods block."""

    def __init__(self, *, logs: Path, kafka: str) -> None:
        self.logs, self.kafka = logs, kafka
        self.started: list[Process] = []
        self._numbers = itertools.count()

    def close(self) -> None:
        """Kill whatever still runs, and print the end of every log."""
        self.kill()
        for process in self.started:
            print(process.log_tail(100))  # noqa: T201  # pytest shows it where the test fails

    def kill(self) -> None:
        """Kill whatever still runs."""
        for process in self.started:
            process.kill()

    def start_worker(
        self, database_url: str, name: str | None = "chaos", kafka: str | None = None
    ) -> Process:
        """Start a worker, and return when it would stop politely: it may still be joining.

        A name makes it a static member of its group.
        """
        port = free_port()
        # Killed members of a group are missed only after the session timeout of 10 s; one that
        # comes back under the same name takes its partitions over at once.
        membership = {"WORKER_INSTANCE_ID": name} if name else {}
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka or self.kafka,
            "DATABASE_URL": database_url,
            "WORKER_METRICS_PORT": str(port),
            "WORKER_BATCH_SIZE": "100",
        }
        live = f"http://{LOOPBACK}:{port}/livez"
        return self.start("workers", environment | membership, ready=live)

    def start_relay(self, database_url: str, kafka: str | None = None) -> Process:
        """Start a relay, and return when it would stop politely: another one may lead."""
        port = free_port()
        environment = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka or self.kafka,
            "DATABASE_URL": database_url,
            "RELAY_METRICS_PORT": str(port),
            "RELAY_BATCH_SIZE": "50",
        }
        live = f"http://{LOOPBACK}:{port}/livez"
        return self.start("workers.relay", environment, ready=live)

    def start_ingest(self, port: int) -> Process:
        """Start an ingest on that port, and return when it is ready to publish."""
        environment = ingest_environment(
            KAFKA_BOOTSTRAP_SERVERS=self.kafka,
            INGEST_PORT=str(port),
            INGEST_PUBLISH_TIMEOUT_MS="1000",
        )
        return self.start("ingest", dict(environment), ready=f"http://{LOOPBACK}:{port}/readyz")

    def start(
        self,
        module: str,
        environment: Mapping[str, str],
        *,
        ready: str | None,
        tree: Path | None = None,
    ) -> Process:
        """Start a process of the code in `tree`, ours without one; return once it is ready.

        With no URL to ask that is at once.
        """
        process = Process(
            Program(
                name=module,
                command=[sys.executable, "-m", module],
                environment={"PATH": os.environ["PATH"], "LOG_FORMAT": "json", **environment},
                directory=tree,
                log=self.logs / f"{module}-{next(self._numbers)}.log",
                ready=partial(_answers, ready) if ready else None,
            )
        )
        process.start()
        self.started.append(process)
        return process


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own URL
        return bool(answer.status == 200)
