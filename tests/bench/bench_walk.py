"""How fast the walk is as it stands: `.venv/bin/python -m tests.bench.bench_walk`.

Ingest beside a bare aiohttp handler that only reads the body, and one worker; server on one
core, load on the other, fsync on. The load generator is Python too and slower than the bare
handler, so the servers are compared by the CPU time that a webhook costs them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import os
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import psutil
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer

from deploy.migrate import migrate
from deploy.stack import Process, Program, running_stack
from deploy.stack.ports import free_port
from deploy.topics import apply_topics, connected_admin
from tests.chaos.stories import publish
from tests.factories import SECRET, new_event_id, new_user_id, sign, user_event
from tests.integration.workers.order.facts import Told
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.stack import Stack

WEBHOOKS = 30_000
EVENTS = 60_000
USERS = 5_000
CONNECTIONS = 64


def make_requests(port: int) -> list[bytes]:
    """Return signed webhooks as they look on the wire."""
    requests = []
    for _ in range(2000):
        body = user_event(new_user_id(), at=0)
        lines = [
            "POST /webhooks/clerk HTTP/1.1",
            f"host: 127.0.0.1:{port}",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in sign(body).items()),
        ]
        requests.append("\r\n".join([*lines, "", ""]).encode() + body)
    return requests


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What came of a run."""

    per_second: float
    cpu_us: float
    """CPU time of the server for each, in microseconds."""

    def __str__(self) -> str:
        """Write it as a line of the report."""
        return f"{self.per_second:8,.0f}/s {self.cpu_us:8,.0f} us CPU each"


def measure_posts(port: int, pid: int) -> Rate:
    """Return how fast, and at what cost, the server with `pid` takes webhooks."""
    asyncio.run(post_all(port, count=2000))
    server = psutil.Process(pid)
    before = sum(server.cpu_times()[:2])
    per_second = asyncio.run(post_all(port, count=WEBHOOKS))
    cpu_s = sum(server.cpu_times()[:2]) - before
    return Rate(per_second=per_second, cpu_us=cpu_s / WEBHOOKS * 1e6)


async def post_all(port: int, *, count: int) -> float:
    """Send `count` webhooks over several connections; return how many were taken per second."""
    requests = make_requests(port)
    remaining = iter(range(count))

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in remaining:
            writer.write(requests[number % len(requests)])
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 202"), head
            length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
            await reader.readexactly(int(length))
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return count / (time.perf_counter() - started)


def serve_bare(port: int) -> None:
    """Serve the limit: aiohttp with uvloop, reading the body and answering."""
    os.sched_setaffinity(0, {0})

    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/webhooks/clerk", handle)
    web.run_app(app, port=port, print=None, access_log=None, loop=uvloop.new_event_loop())


def wait_for(port: int) -> None:
    """Return once somebody listens."""
    while True:
        with contextlib.suppress(OSError):
            answers(port)
            return
        time.sleep(0.05)


def measure_bare() -> Rate:
    """Measure the bare handler."""
    port = free_port()
    server = multiprocessing.get_context("spawn").Process(target=serve_bare, args=(port,))
    server.start()
    try:
        wait_for(port)
        return measure_posts(port, server.pid or 0)
    finally:
        server.terminate()
        server.join()


def answers(port: int) -> bool:
    """Tell whether a server is ready, or at least there."""
    with contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).close()
    return True


def pinned(command: Sequence[str], environment: dict[str, str], *, log: Path, port: int) -> Program:
    """Return a program that runs on the first core."""
    return Program(
        ready=lambda: answers(port),
        name=command[-1],
        command=["taskset", "-c", "0", sys.executable, *command],
        environment={"PATH": os.environ["PATH"], **environment},
        log=log,
    )


def measure_ingest(stack: Stack, logs: Path) -> Rate:
    """Measure ingest, every webhook acknowledged by Kafka."""
    port = free_port()
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "CLERK_WEBHOOK_SIGNING_SECRET": SECRET,
        "INGEST_PORT": str(port),
        "LOG_FORMAT": "json",
    }
    program = pinned(["-m", "ingest"], environment, log=logs / "ingest.log", port=port)
    with Process(program) as server:
        time.sleep(1)
        return measure_posts(port, server.pid)


async def measure_worker(stack: Stack, logs: Path) -> Rate:
    """Measure one worker, rows and ledger committed."""
    ids = [new_user_id() for _ in range(USERS)]
    told = [
        Told(event_id=new_event_id(), body=json.loads(user_event(ids[n % USERS], at=n)))
        for n in range(EVENTS)
    ]
    async with AIOKafkaProducer(bootstrap_servers=stack.bootstrap_servers) as producer:
        await publish(producer, told)
    port = free_port()
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": stack.bootstrap_servers,
        "DATABASE_URL": stack.database_url,
        "WORKER_METRICS_PORT": str(port),
        "LOG_FORMAT": "json",
    }
    database = await asyncpg.connect(stack.database_url)
    program = pinned(["-m", "workers"], environment, log=logs / "worker.log", port=port)
    with Process(program) as worker:
        begun = await until(lambda: count_events(database), bool)
        process = psutil.Process(worker.pid)
        started, before = time.perf_counter(), sum(process.cpu_times()[:2])
        await until(lambda: count_events(database), EVENTS.__eq__, within_s=300)
        seconds, cpu_s = time.perf_counter() - started, sum(process.cpu_times()[:2]) - before
    await database.close()
    return Rate(per_second=(EVENTS - begun) / seconds, cpu_us=cpu_s / (EVENTS - begun) * 1e6)


async def count_events(database: asyncpg.Connection[asyncpg.Record]) -> int:
    """Return how many events the ledger has."""
    return await database.fetchval("SELECT count(*) FROM events")


async def prepare(stack: Stack) -> None:
    """Make tables and topics."""
    await migrate(stack.database_url)
    async with connected_admin({"bootstrap_servers": stack.bootstrap_servers}) as admin:
        await apply_topics(admin)


def main() -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name,
        running_stack(data=Path(name)) as stack,
    ):
        asyncio.run(prepare(stack))
        os.sched_setaffinity(0, {1})
        worker = asyncio.run(measure_worker(stack, Path(name)))
        bare, ingest = measure_bare(), measure_ingest(stack, Path(name))
    print(f"bare aiohttp  {bare}")
    print(f"ingest        {ingest}   {bare.cpu_us / ingest.cpu_us:.2f} of bare")
    print(f"worker        {worker}")


if __name__ == "__main__":
    main()
