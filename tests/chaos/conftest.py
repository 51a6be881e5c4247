"""Real worker processes, to be killed; and a history with a known end."""

from __future__ import annotations

import os
import random
import sys
from typing import TYPE_CHECKING

import pytest

from deploy.stack import Process, Program
from deploy.stack.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    StartWorker = Callable[..., Process]

ROOT_SEED = int(os.environ.get("CHAOS_SEED", "20261121"))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance with a seed that is printed, so that a failure can be played again."""
    seed = f"{ROOT_SEED}-{request.node.name}"
    print(f"CHAOS_SEED={ROOT_SEED}")  # noqa: T201  # pytest shows it where the test fails
    return random.Random(seed)  # noqa: S311  # not for secrets


@pytest.fixture
def start_worker(bootstrap_servers: str, tmp_path: Path) -> Iterator[StartWorker]:
    """Start worker processes that nobody has to stop."""
    started: list[Process] = []

    def start(
        database_url: str, name: str | None = "chaos", kafka: str = bootstrap_servers
    ) -> Process:
        environment = {
            "PATH": os.environ["PATH"],
            "KAFKA_BOOTSTRAP_SERVERS": kafka,
            "DATABASE_URL": database_url,
            "WORKER_METRICS_PORT": str(free_port()),
            "WORKER_BATCH_SIZE": "100",
            # Killed members of a group are missed only after the session timeout of 10 s; one
            # that comes back under the same name takes its partitions over at once.
            **({"WORKER_INSTANCE_ID": name} if name else {}),
            "LOG_FORMAT": "json",
        }
        process = Process(
            Program(
                name="worker",
                command=[sys.executable, "-m", "workers"],
                environment=environment,
                log=tmp_path / f"worker-{len(started)}.log",
            )
        )
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        print(process.log_tail(100))  # noqa: T201  # pytest shows it where the test fails
