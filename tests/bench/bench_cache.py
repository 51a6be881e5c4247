"""What the cache is worth: `.venv/bin/python -m tests.bench.bench_cache`.

First its hit ratio, in this process: a million users, asked for as often as Zipf has it. Then
requests a second of one API process over a real PostgreSQL, with the cache, without it, and of a
bare aiohttp handler that sends as many bytes; the clients are in this process, on the other core.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import asyncpg
import jwt
import psutil
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from prometheus_client import CollectorRegistry

from api.cache.reads import Cache, Loaded
from api.cache.rules import Policy, parse_rules
from api.present import tag
from api.respond import View
from deploy.migrate import migrate
from deploy.stack import running_stack
from deploy.stack.ports import free_port
from schema.ops.metrics.cache import CacheMetrics
from schema.postgres.ids import derive_id
from tests.zipf import zipf_numbers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

IDS = 1_000_000
MAX_BYTES = 64 << 20
READS = 600_000
READS_PER_CHANGE = 100
BODY = b"x" * 330  # a profile with names and an avatar
USERS = 1000
CLIENTS = 16
SECONDS = 6
ROUNDS = 300


async def ratio(s: float) -> None:
    """Print how many of the later reads are hits, and what the entries take."""
    before = psutil.Process().memory_info().rss
    rules = parse_rules("show_user=300s/event")
    registry = CollectorRegistry()
    metrics = CacheMetrics(registry, endpoints=rules)
    trusted = float("inf")
    cache = Cache(Policy(rules, MAX_BYTES, 0), trusted_until=lambda: trusted, metrics=metrics)
    numbers = zipf_numbers(IDS, s=s, seed=1)

    async def read(number: int) -> bool:
        user = derive_id(str(number))

        async def load() -> Loaded:
            # As many bytes, but of its own: as a database would give them.
            body = BODY + b"%d" % number
            return Loaded(View(body, tag(body)), (f"user:{user}",))

        return (await cache.read("show_user", user.hex, load)).outcome == "hit"

    hits = 0
    for count, number in enumerate(islice(numbers, READS)):
        hits += await read(number) and count >= READS // 2
        if count % READS_PER_CHANGE == 0:
            cache.drop((f"user:{derive_id(str(next(numbers)))}", "users"))
    grown = psutil.Process().memory_info().rss - before
    entries = registry.get_sample_value("clerkwork_cache_entries") or 0
    counted = registry.get_sample_value("clerkwork_cache_bytes") or 0
    print(
        f"Zipf s={s}, {IDS} users, a change in {READS_PER_CHANGE} reads:"
        f" {hits / (READS // 2):.1%} hits, {entries:.0f} entries,"
        f" {counted / 2**20:.1f} MiB counted, {grown / 2**20:.1f} MiB more in memory"
    )


@contextlib.asynccontextmanager
async def running(*arguments: str, url: str, **changes: str) -> AsyncIterator[None]:
    """Run a server until it is not needed any more."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=os.environ | {"LOG_LEVEL": "ERROR"} | changes
    )
    try:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/readyz"):
                        break
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def rate(url: str, token: str) -> float:
    """Return how many profiles are served a second."""
    numbers = zipf_numbers(USERS, s=1.1, seed=2)
    headers = {"Authorization": f"Bearer {token}"}
    connector = aiohttp.TCPConnector(limit=0)
    served = 0

    async with aiohttp.ClientSession(connector=connector) as session:

        async def call() -> None:
            nonlocal served
            while time.perf_counter() < ends:
                path = f"{url}/v1/users/user_{next(numbers)}"
                async with session.get(path, headers=headers) as response:
                    await response.read()
                    assert response.status == 200
                    served += 1

        ends = time.perf_counter() + 1
        await asyncio.gather(*(call() for _ in range(CLIENTS)))
        served, started = 0, time.perf_counter()
        ends = started + SECONDS
        await asyncio.gather(*(call() for _ in range(CLIENTS)))
        return served / (time.perf_counter() - started)


async def window(url: str, token: str, database_url: str) -> None:
    """Print how long after a commit the first answer shows it."""
    connection = await asyncpg.connect(database_url)
    found: list[float] = []
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for number in range(ROUNDS):
            await change(connection, str(number))
            committed = time.perf_counter()
            while True:
                async with session.get(f"{url}/v1/users/user_0") as response:
                    if (await response.json())["first_name"] == str(number):
                        break
            found.append((time.perf_counter() - committed) * 1000)
    await connection.close()
    parts = statistics.quantiles(found, n=100)
    print(f"commit to first fresh answer: p50 {parts[49]:.1f} ms, p99 {parts[98]:.1f} ms")


async def change(connection: asyncpg.Connection[asyncpg.Record], name: str) -> None:
    """Change a user and tell of it, as workers do."""
    async with connection.transaction():
        await connection.execute("UPDATE users SET first_name = $1 WHERE clerk_id = 'user_0'", name)
        await connection.execute("SELECT pg_advisory_xact_lock(6241358)")
        await connection.execute(
            """
            INSERT INTO outbox (position, topic, key, type, owner)
            SELECT greatest(
                (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                (SELECT max(position) + 1 FROM outbox)
            ), 'user.changes', 'user_0', 'clerkwork.user.updated', 'user_0'
            """
        )
        await connection.execute("NOTIFY clerkwork_outbox")


async def through_the_app() -> None:
    """Print requests a second."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    now = int(time.time())
    token = jwt.encode({"exp": now + 3600, "iat": now, "sub": "user_x"}, key, algorithm="RS256")
    rates: dict[str, float] = {}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory() as data, running_stack(data=Path(data)) as stack:
        await migrate(stack.database_url)
        connection = await asyncpg.connect(stack.database_url)
        await connection.executemany(
            "INSERT INTO users (id, clerk_id, status, first_name, last_name, image_url, created_at)"
            " VALUES ($1, $2, 'active', 'Ada', 'Lovelace', $3, now())",
            [
                (derive_id(f"user_{n}"), f"user_{n}", f"https://img.clerk.com/{'x' * 100}")
                for n in range(USERS)
            ],
        )
        await connection.close()
        settings = {
            "DATABASE_URL": stack.database_url,
            "CLERK_JWT_KEY": pem,
            "API_PORT": str(port),
            "API_RATE_LIMITS": "off",
        }
        async with running("-m", "api", url=url, **settings, API_CACHE_MAX_BYTES="0"):
            rates["without the cache"] = await rate(url, token)
        async with running("-m", "api", url=url, **settings):
            rates["with the cache"] = await rate(url, token)
            await window(url, token, stack.database_url)
    async with running("-m", "tests.bench.bench_cache", str(port), url=url):
        rates["a bare handler"] = await rate(url, token)
    for name, found in rates.items():
        share = found / rates["a bare handler"]
        print(f"{name}: {found:.0f} requests/s, {share:.0%} of a bare handler")


def serve_bare(port: int) -> None:
    """Serve the same bytes from a handler that does nothing."""

    async def handle(_request: web.Request) -> web.Response:
        return web.Response(body=BODY, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


async def main() -> None:
    """Measure and print."""
    for s in (1.3, 1.1):
        await ratio(s)
    await through_the_app()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve_bare(int(sys.argv[1]))
    else:
        asyncio.run(main())
