"""Several processes behind one port."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiohttp
import psutil
from aiohttp.test_utils import unused_port
from prometheus_client.parser import text_string_to_metric_families

from schema.ops.metrics import BUDGETS
from tests.factories import SECRET
from tests.integration.http.conftest import NOBODY
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prometheus_client.samples import Sample

STARTED = "process_start_time_seconds "


@contextmanager
def running_ingest(
    port: int, *, reuse: bool, share: Path | None = None, drain_s: float = 0
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process of ingest's until the context ends."""
    environment = {
        "PATH": os.environ["PATH"],
        "KAFKA_BOOTSTRAP_SERVERS": NOBODY,
        "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
        "INGEST_PORT": str(port),
        "HTTP_REUSE_PORT": str(reuse),
        "METRICS_SHARE": str(share or ""),
        "HTTP_DRAIN_S": str(drain_s),
    }
    with subprocess.Popen(  # our own module
        [sys.executable, "-m", "ingest"], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


async def listeners(port: int) -> int:
    """Return how many processes listen on a port."""
    listening = [each for each in psutil.net_connections("tcp") if each.status == "LISTEN"]
    return sum(each.laddr.port == port for each in listening if each.laddr)


async def ask_anyone(port: int) -> str:
    """Return what tells the process that answers a new connection from others."""
    async with aiohttp.ClientSession() as http:
        try:
            async with http.get(f"http://127.0.0.1:{port}/metrics") as answer:
                text = await answer.text()
        except aiohttp.ClientConnectionError:
            return ""
    return next(line for line in text.splitlines() if line.startswith(STARTED))


async def test_processes_share_a_port() -> None:
    """Each connection is one's, and when one ends the other has all of them."""
    port = unused_port()
    met: set[str] = set()

    async def meet() -> int:
        met.add(await ask_anyone(port))
        return len(met - {""})

    with running_ingest(port, reuse=True):
        await until(lambda: ask_anyone(port), bool)  # so that they did not start at one moment
        with running_ingest(port, reuse=True):
            await until(meet, lambda number: number == 2)
        assert {await ask_anyone(port) for _ in range(10)} < met


async def scrape(port: int) -> list[Sample]:
    """Return what whoever answers a new connection has to tell."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        text = await answer.text()
    return [each for family in text_string_to_metric_families(text) for each in family.samples]


def told(samples: list[Sample], name: str, **labels: str) -> dict[str, float]:
    """Return process -> the value of its series; a series that is there twice fails."""
    found = [s for s in samples if s.name == name and labels.items() <= s.labels.items()]
    by_process = {s.labels.get("process", ""): s.value for s in found}

    assert len(by_process) == len(found)
    return by_process


async def told_by(port: int, number: int) -> bool:
    """Say whether so many processes tell what they count."""
    try:
        samples = await scrape(port)
    except aiohttp.ClientConnectionError:
        return False
    return told(samples, "clerkwork_processes", state="told") == {"": number}


async def test_one_scrape_is_of_all_who_share_the_target(tmp_path: Path) -> None:
    """Whoever is asked: nothing is lost, nothing is counted twice, and gauges are of each."""
    port, asked = unused_port(), 40
    with running_ingest(port, reuse=True, share=tmp_path):
        await until(lambda: told_by(port, 1), bool)
        with running_ingest(port, reuse=True, share=tmp_path):
            await until(lambda: listeners(port), (2).__eq__)
            await until(lambda: told_by(port, 2), bool)
            for _ in range(asked):
                async with aiohttp.ClientSession() as http:
                    await http.get(f"http://127.0.0.1:{port}/nowhere")

            for _ in range(10):
                samples = await scrape(port)
                name = "clerkwork_http_request_seconds_count"
                requests = told(samples, name, route="unmatched", status="4xx")
                assert sum(requests.values()) == asked
                assert len(requests) == 2  # else one had them all, and this would prove nothing
                assert told(samples, "process_resident_memory_bytes").keys() == {"0", "1"}
                assert told(samples, "clerkwork_breaker_open", breaker="kafka").keys() == {"0", "1"}
                assert len(samples) < BUDGETS["ingest"]
