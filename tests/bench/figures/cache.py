"""What the API's cache is worth: how many reads are hits, and how soon a change shows."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg
import psutil
from prometheus_client import CollectorRegistry

from api.cache.reads import Cache, Loaded
from api.cache.rules import Policy, parse_rules
from api.present import tag
from api.respond import View
from deploy.tokens import mint_token, new_private_key, public_key
from schema.ops.metrics.cache import CacheMetrics
from schema.postgres.ids import derive_id
from tests.bench.figure import OURS, Experiment, Figure
from tests.bench.figures.api import fill
from tests.bench.paced import percentiles
from tests.zipf import zipf_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench

STEEP: Final = "steeper"
SHAPES: Final = {OURS: 1.1, STEEP: 1.3}
"""Contestant -> Zipf's exponent."""
MAX_BYTES: Final = 64 << 20
READS_PER_CHANGE: Final = 100
BODY: Final = b"x" * 330  # a profile with names and an avatar
CHANGE: Final = """
    WITH changed AS (
        UPDATE users SET first_name = $1 WHERE clerk_id = 'user_0' RETURNING clerk_id
    ),
    locked AS MATERIALIZED (SELECT pg_advisory_xact_lock(6241358)),
    told AS (
        INSERT INTO outbox (position, topic, key, type, owner)
        SELECT greatest(
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
            (SELECT max(position) + 1 FROM outbox)
        ), 'user.changes', clerk_id, 'clerkwork.user.updated', clerk_id
        FROM changed, locked
        RETURNING position
    )
    SELECT pg_notify('clerkwork_outbox', position::text) FROM told
"""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure hits in this process, and freshness at an API of its own."""
    found: dict[str, Mapping[str, float]] = {
        who: await measure_hits(bench, s=s) for who, s in SHAPES.items()
    }
    found[OURS] = {**found[OURS], **await measure_freshness(bench)}
    return found


async def measure_hits(bench: Bench, *, s: float) -> Mapping[str, float]:
    """Return how many of the later half of reads are hits, and what the entries take."""
    ids, reads = bench.choose((1_000_000, 400_000), (10_000, 4_000))
    before = psutil.Process().memory_info().rss
    rules = parse_rules("show_user=300s/event")
    metrics = CacheMetrics(CollectorRegistry(), endpoints=rules)
    cache = Cache(Policy(rules, MAX_BYTES, 0), trusted_until=lambda: float("inf"), metrics=metrics)
    numbers = zipf_numbers(ids, s=s, seed=1)

    async def read(number: int) -> bool:
        user = derive_id(str(number))

        async def load() -> Loaded:
            # As many bytes, but of its own: as a database would give them.
            body = BODY + b"%d" % number
            return Loaded(View(body, tag(body)), (f"user:{user}",))

        return (await cache.read("show_user", user.hex, load)).outcome == "hit"

    hits = 0
    for count, number in enumerate(islice(numbers, reads)):
        hits += await read(number) and count >= reads // 2
        if count % READS_PER_CHANGE == 0:
            cache.drop((f"user:{derive_id(str(next(numbers)))}", "users"))
    grown = max(0, psutil.Process().memory_info().rss - before)
    return {"hits": hits / (reads // 2) * 100, "memory": grown / 1e6}


async def measure_freshness(bench: Bench) -> Mapping[str, float]:
    """Return how long after a commit the first answer shows it."""
    key = new_private_key()
    headers = {"Authorization": f"Bearer {mint_token(key, user_id='user_1', minutes=60)}"}
    found: list[float] = []
    async with bench.database() as url:
        await fill(url, 10)
        connection = await asyncpg.connect(url)
        async with (
            bench.serving(
                "api",
                DATABASE_URL=url,
                CLERK_JWT_KEY=public_key(key),
                API_RATE_LIMITS="off",
            ) as server,
            aiohttp.ClientSession(headers=headers) as session,
        ):
            for number in range(bench.choose(300, 5)):
                await connection.execute(CHANGE, str(number))
                committed = time.perf_counter()
                while await _shown(session, server.url) != str(number):
                    pass
                found.append((time.perf_counter() - committed) * 1000)
        await connection.close()
    return {f"fresh_{name}": value for name, value in percentiles(found).items()}


async def _shown(session: aiohttp.ClientSession, url: str) -> str:
    async with session.get(f"{url}/v1/users/user_0") as response:
        return (await response.json())["first_name"]


EXPERIMENT: Final = Experiment(
    name="cache",
    says="The cache with 64 MiB, over 1,000,000 users, one change in 100 reads; and how soon after"
    " its commit a change is in the first answer.",
    contestants={
        OURS: "reads as Zipf has it, s = 1.1",
        STEEP: "the same with s = 1.3",
    },
    figures=(
        Figure(name="hits", says="reads that need no query", unit="%"),
        Figure(name="memory", says="memory that the entries take", unit="MB", better="less"),
        *(
            Figure(
                name=f"fresh_{part}",
                says=f"from a commit to the first answer that shows it, {part}",
                unit="ms",
                better="less",
            )
            for part in ("p50", "p95", "p99")
        ),
    ),
    measure=measure,
)
