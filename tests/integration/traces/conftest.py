"""Real processes that export what they trace."""

from __future__ import annotations

import asyncio
import os
import sys
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from deploy.stack import Process, Program
from deploy.stack.ports import LOOPBACK, free_port
from deploy.tokens import ISSUER, new_private_key, public_key
from tests.collector import Collector, collecting
from tests.factories import SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

PORTS = {
    "ingest": "INGEST_PORT",
    "workers": "WORKER_METRICS_PORT",
    "workers.relay": "RELAY_METRICS_PORT",
    "api": "API_PORT",
}


@dataclass(frozen=True, kw_only=True)
class Cast:
    """Processes that nobody has to stop."""

    environment: dict[str, str]
    private_key: str
    logs: Path
    started: list[Process] = field(default_factory=list)

    async def start(self, module: str, **environment: str) -> str:
        """Start a process, and return its URL once it is ready."""
        port = free_port()
        url = f"http://{LOOPBACK}:{port}"
        process = Process(
            Program(
                name=module,
                command=[sys.executable, "-m", module],
                environment=self.environment | {PORTS[module]: str(port)} | environment,
                log=self.logs / f"{module}.log",
                ready=lambda: _answers(f"{url}/readyz"),
            )
        )
        self.started.append(process)
        await asyncio.to_thread(process.start)
        return url

    def lines(self, module: str) -> str:
        """Return what a process has logged."""
        return (self.logs / f"{module}.log").read_text("utf-8")


@pytest.fixture
async def collector() -> AsyncIterator[Collector]:
    """Whom processes export to."""
    async with collecting() as collector:
        yield collector


@pytest.fixture
def cast(bootstrap_servers: str, database_url: str, tmp_path: Path) -> Iterator[Cast]:
    """Processes on this test's own database; the topics are everybody's."""
    private_key = new_private_key()
    cast = Cast(
        environment={
            "PATH": os.environ["PATH"],
            "LOG_FORMAT": "json",
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "DATABASE_URL": database_url,
            "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
            "CLERK_JWT_KEY": public_key(private_key),
            "CLERK_ISSUER": ISSUER,
        },
        private_key=private_key,
        logs=tmp_path,
    )
    yield cast
    for process in cast.started:
        process.kill()
        print(process.log_tail(50))  # noqa: T201  # pytest shows it where the test fails


def _answers(url: str) -> bool:
    with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own URL
        return bool(answer.status == 200)
