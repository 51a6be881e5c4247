"""How fast changes reach their streams: `.venv/bin/python -m tests.bench.bench_changes`.

One API process over a real PostgreSQL, fsync on; writer and clients are in this process, on the
other core. The time of a change is its position: when it was told, before the commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import asyncpg
import jwt
import psutil
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.page import encode_position
from deploy.migrate import migrate
from deploy.stack import running_stack
from deploy.stack.ports import free_port
from schema.postgres.ids import derive_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

STREAMS = 100
SECONDS = 10
PAST = 100_000
STATE = json.dumps({"schema_version": 1, "first_name": "Ada", "public_metadata": {"x": "y" * 500}})
# As tell.sql does it, in one statement: nobody else is telling.
TELL = """
    WITH locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(6241358)), told AS (
        INSERT INTO outbox (position, topic, key, type, owner, state)
        SELECT greatest(
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
            (SELECT max(position) + 1 FROM outbox)
        ), 'user.changes', $1, 'clerkwork.user.updated', $1, $2::text::json
        FROM locked
        RETURNING position
    )
    SELECT pg_notify('clerkwork_outbox', position::text) FROM told
"""


@contextlib.asynccontextmanager
async def serving(database_url: str, key: rsa.RSAPrivateKey) -> AsyncIterator[tuple[str, int]]:
    """Run the API as an operator does; yield its address and its process."""
    port = free_port()
    pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    environment = os.environ | {
        "DATABASE_URL": database_url,
        "CLERK_JWT_KEY": pem.decode(),
        "API_PORT": str(port),
        "API_STREAMS_PER_USER": "1000",
        "API_RATE_LIMITS": "off",
        "LOG_LEVEL": "ERROR",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "api", env=environment)
    url = f"http://127.0.0.1:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get(f"{url}/readyz") as response:
                        if response.status == 200:
                            break
                await asyncio.sleep(0.05)
        yield url, process.pid
    finally:
        process.terminate()
        await process.wait()


async def follow(
    session: aiohttp.ClientSession, url: str, token: str, seen: Callable[[int], None]
) -> None:
    """Hand the position of every event to `seen`, until cancelled."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with session.get(f"{url}/v1/changes", params={"since": "now"}, headers=headers) as stream:
        async for line in stream.content:
            if line.startswith(b"data: "):
                seen(json.loads(line[6:])["sequence"])


async def live(
    url: str, database_url: str, tokens: list[str], owners: list[str], *, rate: int, pid: int
) -> None:
    """Print how soon each of the changes reaches each of the streams that may see it."""
    latencies: list[float] = []

    def seen(position: int) -> None:
        latencies.append(time.time() - position / 1_000_000)

    writer = await asyncpg.connect(database_url)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        readers = [asyncio.create_task(follow(session, url, token, seen)) for token in tokens]
        await asyncio.sleep(2)
        cpu = psutil.Process(pid).cpu_times()
        started = time.monotonic()
        for number in range(rate * SECONDS):
            await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
            await writer.execute(TELL, owners[number % len(owners)], STATE)
        wrote_s = time.monotonic() - started
        await asyncio.sleep(2)
        used = psutil.Process(pid).cpu_times()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    await writer.close()
    percentiles = statistics.quantiles(latencies, n=100)
    cpu_s = used.user + used.system - cpu.user - cpu.system
    print(
        f"{len(tokens)} streams, {rate * SECONDS / wrote_s:.0f} changes/s,"
        f" {len(latencies) / wrote_s:.0f} events/s: p50 {percentiles[49] * 1000:.1f} ms,"
        f" p99 {percentiles[98] * 1000:.1f} ms, {cpu_s / len(latencies) * 1e6:.0f} us CPU an event"
    )


async def catch_up(url: str, database_url: str, token: str) -> None:
    """Print how fast one stream reads the past."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("DELETE FROM outbox")
    await connection.execute(
        """
        INSERT INTO outbox SELECT n, 'user.changes', 'user_1', 'clerkwork.user.updated', 'user_1',
            false, $1::text::json FROM generate_series(1, 100000) AS n
        """,
        STATE,
    )
    await connection.execute("ANALYZE outbox")
    await connection.close()
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    params = {"since": encode_position(0)}
    started = time.monotonic()
    found = 0
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}/v1/changes", params=params, headers=headers) as stream,
    ):
        async for line in stream.content:
            found += line.startswith(b"data: ")
            if found == PAST:
                break
        stream.close()
    print(f"catching up: {PAST / (time.monotonic() - started):.0f} changes/s")


async def main() -> None:
    """Measure and print."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(clerk_id: str) -> str:
        now = int(time.time())
        claims = {"exp": now + 3600, "iat": now, "sub": clerk_id}
        return jwt.encode(claims, key, algorithm="RS256")

    with tempfile.TemporaryDirectory() as data, running_stack(data=Path(data)) as stack:
        await migrate(stack.database_url)
        connection = await asyncpg.connect(stack.database_url)
        owners = [f"user_{number}" for number in range(STREAMS)]
        await connection.executemany(
            "INSERT INTO users (id, clerk_id, status, role) VALUES ($1, $2, 'active', $3)",
            [(derive_id(each), each, "user") for each in owners]
            + [(derive_id("user_admin"), "user_admin", "admin")],
        )
        await connection.close()
        async with serving(stack.database_url, key) as (url, pid):
            each = [token(owner) for owner in owners]
            await live(url, stack.database_url, each, owners, rate=200, pid=pid)
            admins = [token("user_admin")] * STREAMS
            await live(url, stack.database_url, admins, owners, rate=50, pid=pid)
            await catch_up(url, stack.database_url, token("user_1"))


if __name__ == "__main__":
    asyncio.run(main())
