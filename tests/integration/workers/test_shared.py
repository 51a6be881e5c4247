"""Two workers behind one scrape target, as processes, between a real Kafka and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.stack.ports import free_port
from schema.kafka.topics import SOURCES
from schema.ops.metrics import BUDGETS
from tests.factories import inbound_headers, new_event_id, new_user_id, user_event
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import asyncpg
    from aiokafka import AIOKafkaProducer
    from prometheus_client.samples import Sample

    Database = asyncpg.Connection[asyncpg.Record]

EVENTS = 60
PARTITIONS = {(topic.name, str(n)) for topic in SOURCES for n in range(topic.partitions)}


@contextmanager
def running_worker(environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker until the context ends."""
    with subprocess.Popen(  # our own module
        [sys.executable, "-m", "workers"], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


async def scrape(port: str) -> list[Sample]:
    """Return what whoever answers a new connection has to tell; nothing where nobody does."""
    try:
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"http://127.0.0.1:{port}/metrics") as answer,
        ):
            text = await answer.text()
    except aiohttp.ClientConnectionError:
        return []
    return [each for family in text_string_to_metric_families(text) for each in family.samples]


def values(samples: list[Sample], name: str, **labels: str) -> dict[str, float]:
    """Return process -> the sum of its series; a series that is there twice fails."""
    found = [s for s in samples if s.name == name and labels.items() <= s.labels.items()]
    assert len({tuple(sorted(each.labels.items())) for each in found}) == len(found)
    return {
        number: sum(each.value for each in found if each.labels["process"] == number)
        for number in {each.labels["process"] for each in found}
    }


def owners(samples: list[Sample]) -> dict[tuple[str, str], list[str]]:
    """Return partition -> the processes that tell how far behind it is."""
    found: dict[tuple[str, str], list[str]] = {}
    for each in samples:
        if each.name == "clerkwork_lag_seconds":
            place = each.labels["topic"], each.labels["partition"]
            found.setdefault(place, []).append(each.labels["process"])
    return found


@pytest.fixture
def environment(bootstrap_servers: str, database_url: str, tmp_path: Path) -> dict[str, str]:
    """What both workers read: the same."""
    return {
        "PATH": os.environ["PATH"],
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "DATABASE_URL": database_url,
        "WORKER_METRICS_PORT": str(free_port()),
        "METRICS_SHARE": str(tmp_path),
    }


async def test_what_two_workers_count_is_one_whole(
    environment: dict[str, str], database: Database, producer: AIOKafkaProducer
) -> None:
    """Nothing is lost, nothing counted twice, and each partition is told of by its owner alone."""
    port = environment["WORKER_METRICS_PORT"]

    async def shared() -> bool:
        found = owners(await scrape(port))
        both = {number for numbers in found.values() for number in numbers}
        alone = all(len(numbers) == 1 for numbers in found.values())
        return alone and found.keys() == PARTITIONS and both == {"0", "1"}

    async def applied() -> int:
        return int(await database.fetchval("SELECT count(*) FROM events"))

    with running_worker(environment), running_worker(environment):
        await until(shared, bool)
        before = values(await scrape(port), "clerkwork_events_total", outcome="applied")
        for _ in range(EVENTS):
            user_id = new_user_id()
            await producer.send_and_wait(
                "clerk.user-events",
                user_event(user_id, at=0),
                key=user_id.encode(),
                headers=inbound_headers(new_event_id()),
            )
        await until(applied, lambda number: number == EVENTS)
        for _ in range(5):
            samples = await scrape(port)
            after = values(samples, "clerkwork_events_total", outcome="applied")
            assert sum(after.values()) - sum(before.values()) == EVENTS
            assert min(after.values()) > 0  # else this would prove nothing
            assert values(samples, "clerkwork_ledger_months_ahead").keys() == {"0", "1"}
            assert len(samples) < 2 * BUDGETS["worker"]
        await until(lambda: behind(port), lambda records: records == 0)


async def behind(port: str) -> float:
    """Return how many records wait, in all partitions."""
    return sum(values(await scrape(port), "clerkwork_lag_records").values())


async def test_the_steps_of_the_loop_sum_to_the_time_that_passed(
    environment: dict[str, str], database: Database
) -> None:
    """Whatever it did meanwhile."""
    del database  # its tables are there
    port = environment["WORKER_METRICS_PORT"]

    async def spent() -> float:
        return sum(values(await scrape(port), "clerkwork_loop_seconds_total").values())

    with running_worker(environment):
        first_s = await until(spent, bool)
        began_s = asyncio.get_running_loop().time()
        last_s = await until(spent, lambda seconds: seconds > first_s + 4)
        passed_s = asyncio.get_running_loop().time() - began_s

    assert last_s - first_s == pytest.approx(passed_s, abs=1.5)
