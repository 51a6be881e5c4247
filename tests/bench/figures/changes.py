"""How soon changes reach those who follow them, and how fast one catches up."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg

from api.page import encode_position
from deploy.tokens import mint_token, new_private_key, public_key
from schema.postgres.ids import derive_id
from tests.bench.bench import measuring
from tests.bench.figure import OURS, Experiment, Figure
from tests.bench.paced import percentiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.bench import Bench, Server

EVERYTHING: Final = "who may see everything"
STREAMS: Final = 100
STATE: Final = json.dumps(
    {"schema_version": 1, "first_name": "Ada", "public_metadata": {"x": "y" * 500}}
)
# As workers tell it, in one statement: nobody else is telling.
TELL: Final = """
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
PAST: Final = """
    INSERT INTO outbox (position, topic, key, type, owner, state)
    SELECT n, 'user.changes', 'user_1', 'clerkwork.user.updated', 'user_1', $1::text::json
    FROM generate_series(1, $2::integer) AS n
"""
USERS: Final = """
    INSERT INTO users (id, clerk_id, status, role)
    SELECT id, clerk_id, 'active', CASE WHEN clerk_id = 'user_admin' THEN 'admin' ELSE 'user' END
    FROM unnest($1::uuid[], $2::text[]) AS new (id, clerk_id)
"""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure streams of users, each of whom sees their own, then of an administrator."""
    key = new_private_key()
    owners = [f"user_{number}" for number in range(bench.choose(STREAMS, 5))]

    def token(user: str) -> str:
        return mint_token(key, user_id=user, minutes=60)

    async with bench.database() as url:
        database = await asyncpg.connect(url)
        names = [*owners, "user_admin"]
        await database.execute(USERS, [derive_id(name) for name in names], names)
        settings = {
            "DATABASE_URL": url,
            "CLERK_JWT_KEY": public_key(key),
            "API_STREAMS_PER_USER": "1000",
            "API_RATE_LIMITS": "off",
        }
        async with bench.serving("api", settings=settings) as server:
            tokens = [token(owner) for owner in owners]
            administrators = [token("user_admin")] * len(owners)
            found = {
                OURS: await follow_live(bench, server, database, tokens, rate=200),
                EVERYTHING: await follow_live(bench, server, database, administrators, rate=50),
            }
            rate = await catch_up(bench, server, database, token("user_1"))
        await database.close()
    return {**found, OURS: {**found[OURS], "catch_up": rate}}


async def follow(
    session: aiohttp.ClientSession, server: Server, token: str, seen: Callable[[int], None]
) -> None:
    """Hand the position of every event to `seen`, until cancelled."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    async with session.get(
        f"{server.url}/v1/changes", params={"since": "now"}, headers=headers
    ) as stream:
        async for line in stream.content:
            if line.startswith(b"data: "):
                seen(json.loads(line[6:])["sequence"])


async def follow_live(
    bench: Bench,
    server: Server,
    database: asyncpg.Connection[asyncpg.Record],
    tokens: Sequence[str],
    *,
    rate: int,
) -> Mapping[str, float]:
    """Return how soon each of the changes reaches each of the streams that may see it.

    The time of a change is its position: when it was told, before the commit.
    """
    latencies: list[float] = []

    def seen(position: int) -> None:
        latencies.append((time.time() - position / 1_000_000) * 1000)

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        readers = [asyncio.create_task(follow(session, server, each, seen)) for each in tokens]
        await asyncio.sleep(1)
        with measuring(server) as cost:
            started = time.monotonic()
            for number in range(int(rate * bench.choose(5, 0.2))):
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
                await database.execute(TELL, f"user_{number % len(tokens)}", STATE)
            await asyncio.sleep(0.5)
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
    return {**percentiles(latencies), "cpu": cost.cpu_s / len(latencies) * 1e6}


async def catch_up(
    bench: Bench, server: Server, database: asyncpg.Connection[asyncpg.Record], token: str
) -> float:
    """Return how many changes a second one stream reads of the past."""
    past = bench.choose(100_000, 1_000)
    await database.execute("DELETE FROM outbox")
    await database.execute(PAST, STATE, past)
    await database.execute("VACUUM ANALYZE outbox")
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    params = {"since": encode_position(0)}
    started, found = time.perf_counter(), 0
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v1/changes", params=params, headers=headers) as stream,
    ):
        async for line in stream.content:
            found += line.startswith(b"data: ")
            if found == past:
                break
        stream.close()
    return past / (time.perf_counter() - started)


EXPERIMENT: Final = Experiment(
    name="changes",
    says=f"Server-sent events of one API process to {STREAMS} streams, while changes are told.",
    contestants={
        OURS: "200 changes a second, each seen by the one user whom it is about",
        EVERYTHING: "50 changes a second, each seen by all, who are administrators",
    },
    figures=(
        Figure(name="p50", says="from telling to a stream, median", unit="ms", better="less"),
        Figure(name="p95", says="from telling to a stream, p95", unit="ms", better="less"),
        Figure(name="p99", says="from telling to a stream, p99", unit="ms", better="less"),
        Figure(name="cpu", says="CPU time for each event of a stream", unit="us", better="less"),
        Figure(name="catch_up", says="changes of the past that one stream is given", unit="/s"),
    ),
    measure=measure,
)
