"""What every test can ask for: recorded webhooks, and a real Kafka and PostgreSQL.

The servers run in containers when a Docker engine answers, else as child processes; the same
tests run on either. Nothing starts before a test asks for it.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from docker.client import DockerClient
from docker.errors import DockerException
from hypothesis import HealthCheck, settings
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer

from deploy.migrate import migrate
from deploy.stack import ports, running_stack
from deploy.topics import apply_topics, connected_admin
from schema.kafka.topics import TOPICS
from tests.leftovers import skip_leftovers
from tests.memory import scratch_directory

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    ReadTopic = Callable[[str], Awaitable[list[ConsumerRecord[Any, Any]]]]

# Unless asked, property tests try the same examples in every run; and they take the time they take.
settings.register_profile(
    "clerkwork",
    derandomize="HYPOTHESIS_RANDOM" not in os.environ,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("clerkwork")

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "schema/kafka/samples"

_LONG = ("/order/test_order_proof.py", "/deploy/", "/chaos/test_relay.py")

# What a developer has exported must not decide what a test sees.
_OURS = (
    *("KAFKA_", "CLERK_", "CLERKWORK_", "INGEST_", "WORKER_", "RELAY_", "API_", "LOG_"),
    "OTEL_",
    *("DATABASE_URL", "REDIS_URL"),
)


def pytest_configure() -> None:
    """Give each process of the run ports that no other one takes, nor the programs it starts."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports.FREE_PORTS = range(10_000 + number, 20_000, count)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first, so that no process is left alone with one in the end."""
    items.sort(key=lambda item: next((n for n, name in enumerate(_LONG) if name in item.nodeid), 9))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def sample() -> dict[str, bytes]:
    """Every recorded webhook body, by the name of its file without `.json`."""
    return {path.stem: path.read_bytes() for path in sorted(SAMPLES.glob("*.json"))}


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Where the real Kafka and PostgreSQL of this test run are."""

    bootstrap_servers: str
    database_url: str


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """A Kafka and a PostgreSQL for the whole run."""
    with contextlib.ExitStack() as stack:
        if _docker_answers():
            kafka = stack.enter_context(_kafka_container())
            postgres = stack.enter_context(PostgresContainer("postgres:18", driver=None))
            yield Servers(
                bootstrap_servers=kafka.get_bootstrap_server(),
                database_url=postgres.get_connection_url(),
            )
            return
        data = stack.enter_context(scratch_directory())
        running = stack.enter_context(running_stack(data=data))
        yield Servers(
            bootstrap_servers=running.bootstrap_servers, database_url=running.database_url
        )


def _kafka_container() -> KafkaContainer:
    container = KafkaContainer("confluentinc/cp-kafka:8.1.0").with_kraft()
    # Kafka's own topic of transactions wants three brokers unless told otherwise.
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
    container.with_env("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
    return container


def _docker_answers() -> bool:
    if not (os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists()):
        return False  # the client would leave a socket open while it finds out
    try:
        client = DockerClient.from_env(timeout=5)
    except DockerException:
        return False
    with contextlib.closing(client):
        try:
            return bool(client.ping())
        except DockerException:
            return False


@pytest.fixture(scope="session")
async def kafka_address(servers: Servers) -> str:
    """The address of a Kafka that has every topic."""
    await create_topics(servers)
    return servers.bootstrap_servers


@pytest.fixture(scope="module")
async def bootstrap_servers(kafka_address: str) -> str:
    """The same; workers read nothing there that the tests of other files have left."""
    await skip_leftovers(kafka_address)
    return kafka_address


@pytest.fixture(scope="session")
async def template_database(servers: Servers) -> str:
    """The name of a migrated database that others are copied from."""
    return await create_template(servers)


async def create_topics(servers: Servers) -> None:
    """Create every topic."""
    async with connected_admin({"bootstrap_servers": servers.bootstrap_servers}) as admin:
        assert await apply_topics(admin) == []


async def create_template(servers: Servers) -> str:
    """Create a migrated database, and return its name."""
    name = "template_clerkwork"
    await _execute(servers.database_url, f"CREATE DATABASE {name}")
    await migrate(_on_database(servers.database_url, name))
    return name


@pytest.fixture
async def database_url(servers: Servers, template_database: str) -> AsyncIterator[str]:
    """The URL of a migrated, empty database of this test's own."""
    async with copied_database(servers, template_database) as url:
        yield url


@pytest.fixture(scope="module")
async def shared_database_url(servers: Servers, template_database: str) -> AsyncIterator[str]:
    """The URL of a migrated, empty database for the tests of a file, which only read it."""
    async with copied_database(servers, template_database) as url:
        yield url


@contextlib.asynccontextmanager
async def copied_database(servers: Servers, template: str) -> AsyncIterator[str]:
    """Copy a database while it is needed."""
    name = f"test_{uuid.uuid4().hex}"
    await _execute(servers.database_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _on_database(servers.database_url, name)
    await _execute(servers.database_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection to this test's database, to arrange and to look."""
    connection = await asyncpg.connect(database_url)
    yield connection
    await connection.close()


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _on_database(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


PARTITIONS = {topic.name: topic.partitions for topic in TOPICS}


@pytest.fixture
def read_topic(bootstrap_servers: str) -> ReadTopic:
    """Read everything a topic holds now."""

    async def read(topic: str) -> list[ConsumerRecord[Any, Any]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, enable_auto_commit=False)
        await consumer.start()
        try:
            partitions = [TopicPartition(topic, number) for number in range(PARTITIONS[topic])]
            consumer.assign(partitions)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(partitions)
            records: list[ConsumerRecord[Any, Any]] = []
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                fetched = await consumer.getmany(timeout_ms=200)
                records += [record for batch in fetched.values() for record in batch]
            return records
        finally:
            await consumer.stop()

    return read


@pytest.fixture
async def producer(bootstrap_servers: str) -> AsyncIterator[AIOKafkaProducer]:
    """A producer, to put records where ingest would."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
    await producer.start()
    yield producer
    await producer.stop()
