"""Servers behind proxies, and processes to be killed."""

from __future__ import annotations

import asyncio
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.chaos.promises import Witness
from tests.chaos.troupe import Arena, Troupe, open_arena
from tests.conftest import Servers, create_template, create_topics
from tests.memory import scratch_directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from deploy.stack import Process

    StartWorker = Callable[..., Process]

ROOT_SEED = int(os.environ.get("CHAOS_SEED", "20261121"))


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Chance with a seed that is printed, so that a failure can be played again."""
    seed = f"{ROOT_SEED}-{request.node.name}"
    print(f"CHAOS_SEED={ROOT_SEED}")  # noqa: T201  # pytest shows it where the test fails
    return random.Random(seed)  # noqa: S311  # not for secrets


@pytest.fixture(scope="session")
async def arena() -> AsyncIterator[Arena]:
    """The Kafka and the PostgreSQL of all these tests: child processes, never containers."""
    with scratch_directory() as data:
        async with open_arena(data) as arena:
            yield arena


@pytest.fixture(scope="session")
async def servers(arena: Arena) -> Servers:
    """Where the arena's servers are; PostgreSQL past its proxy."""
    return Servers(bootstrap_servers=arena.kafka.bootstrap_servers, database_url=arena.postgres.url)


# What lasts for the session is kept under its name, whoever it depends on: these stand for the
# arena's servers, those of the other tests for theirs.
@pytest.fixture(scope="session")
async def bootstrap_servers(servers: Servers) -> str:
    """The address of the arena's Kafka, with every topic."""
    await create_topics(servers)
    return servers.bootstrap_servers


@pytest.fixture(scope="session")
async def template_database(servers: Servers) -> str:
    """The name of a migrated database of the arena."""
    return await create_template(servers)


@pytest.fixture(autouse=True)
async def _heal(arena: Arena) -> AsyncIterator[None]:
    """Leave a good network and living servers behind."""
    yield
    await asyncio.to_thread(arena.heal)


@pytest.fixture
def proxied_url(arena: Arena, database_url: str) -> str:
    """The URL of this test's database, through the proxy."""
    return arena.proxied(database_url)


@pytest.fixture
def witness(bootstrap_servers: str, database_url: str) -> Witness:
    """Who tells whether every promise was kept, in this test's database."""
    return Witness(database_url=database_url, bootstrap_servers=bootstrap_servers)


@pytest.fixture
def troupe(bootstrap_servers: str, tmp_path: Path) -> Iterator[Troupe]:
    """Worker and ingest processes on the arena's Kafka that nobody has to stop."""
    troupe = Troupe(logs=tmp_path, kafka=bootstrap_servers)
    yield troupe
    troupe.close()


@pytest.fixture
def start_worker(troupe: Troupe) -> StartWorker:
    """Start a worker that nobody has to stop."""
    return troupe.start_worker
