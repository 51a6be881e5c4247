"""Single reads of the API, sign-in checked on each: with the cache and without it."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg
from prometheus_client.parser import text_string_to_metric_families

from deploy.tokens import mint_token, new_private_key, public_key
from schema.postgres.ids import derive_id
from tests.bench.figure import CORE, LIMIT, MEMORY, NAIVE, OURS, Experiment, Figure, Promise
from tests.bench.served import measure_server
from tests.bench.wrk import make_request
from tests.zipf import zipf_numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from tests.bench.bench import Bench, Server

UNCACHED: Final = "uncached"
USERS: Final = 1_000
"""All of them fit into the cache, and have been asked for once the warm-up is over."""
READS: Final = 20_000
WARM_S: Final = 3
CALLERS: Final = 100
"""Each has a token of its own."""
INSERT: Final = """
    INSERT INTO users (id, clerk_id, status, first_name, last_name, image_url, created_at)
    SELECT id, clerk_id, 'active', 'Ada', 'Lovelace', 'https://img.clerk.com/' || repeat('x', 100),
        now()
    FROM unnest($1::uuid[], $2::text[]) AS new (id, clerk_id)
"""


async def fill(url: str, users: int) -> None:
    """Make users called user_0, user_1 and so on."""
    names = [f"user_{number}" for number in range(users)]
    connection = await asyncpg.connect(url)
    await connection.execute(INSERT, [derive_id(name) for name in names], names)
    await connection.execute("VACUUM ANALYZE users")
    await connection.close()


def make_reads(count: int, *, users: int, key: str) -> Sequence[bytes]:
    """Return reads of profiles, some of them of many, as Zipf has it."""
    headers = [
        {"Authorization": f"Bearer {mint_token(key, user_id=f'user_{caller}', minutes=60)}"}
        for caller in range(min(CALLERS, users))
    ]
    return [
        make_request("GET", f"/v1/users/user_{number}", headers[at % len(headers)])
        for at, number in enumerate(islice(zipf_numbers(users, s=1.1, seed=2), count))
    ]


async def fetch_body(server: Server, read: bytes) -> bytes:
    """Return what the API answers to one of the reads."""
    head = read.decode().splitlines()
    headers = dict(line.split(": ", 1) for line in head[2:] if line)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}{head[0].split()[1]}", headers=headers) as response,
    ):
        response.raise_for_status()
        return await response.read()


async def fetch_hits(server: Server) -> float:
    """Return how many of all reads since the start were answered by the cache, in per cent."""
    reads: dict[str, float] = {}
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/metrics") as page:
        for family in text_string_to_metric_families(await page.text()):
            for sample in family.samples:
                if sample.name == "clerkwork_cache_reads_total":
                    outcome = sample.labels["outcome"]
                    reads[outcome] = reads.get(outcome, 0.0) + sample.value
    return reads["hit"] / sum(reads.values()) * 100


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure each alone: as much as it takes, and then half of that by the clock."""
    key, users = new_private_key(), bench.choose(USERS, 100)
    reads = make_reads(bench.choose(READS, 200), users=users, key=key)
    found: dict[str, Mapping[str, float]] = {}
    async with bench.database() as url:
        await fill(url, users)
        variables = {"DATABASE_URL": url, "CLERK_JWT_KEY": public_key(key)}
        async with _api(bench, variables) as server:
            body = bench.keep("body", await fetch_body(server, reads[0]))
            ours = await measure_server(bench, server, reads, warm_s=WARM_S)
            found[OURS] = {**ours, "hits": await fetch_hits(server)}
        async with _api(bench, variables | {"API_CACHE_MAX_BYTES": "0"}) as server:
            found[UNCACHED] = await measure_server(bench, server, reads, warm_s=WARM_S)
        async with bench.serving("tests.bench.rivals.api", settings=variables) as server:
            found[NAIVE] = await measure_server(bench, server, reads, warm_s=WARM_S)
    async with bench.serving("tests.bench.rivals.bare", str(body)) as server:
        found[LIMIT] = await measure_server(bench, server, reads, warm_s=WARM_S)
    return found


def _api(bench: Bench, variables: Mapping[str, str]) -> AbstractAsyncContextManager[Server]:
    return bench.serving("api", API_RATE_LIMITS="off", settings=variables)


EXPERIMENT: Final = Experiment(
    name="api",
    says="Profiles of 1,000 users, asked for as Zipf has it (s = 1.1) by 100 signed-in users, of"
    " one process on its own core.",
    contestants={
        LIMIT: "a bare aiohttp handler with uvloop, that answers the same JSON",
        OURS: "the API from its cache, with everything on but limits of requests",
        UNCACHED: "the same without its cache: everything comes from PostgreSQL",
        NAIVE: "aiohttp, PyJWT and SELECT *",
    },
    figures=(
        Figure(
            name="rate",
            says="reads that one core answers in a second",
            unit="/s",
            promises=(Promise(bound=0.35), Promise(bound=0.15, who=UNCACHED)),
        ),
        Figure(name="cpu", says="CPU time for each read", unit="us", better="less"),
        CORE,
        Figure(name="p50", says="answer at half of the rate, median", unit="ms", better="less"),
        Figure(name="p95", says="answer at half of the rate, p95", unit="ms", better="less"),
        Figure(name="p99", says="answer at half of the rate, p99", unit="ms", better="less"),
        Figure(name="hits", says="reads that the cache answered", unit="%", of_limit=False),
        MEMORY,
    ),
    measure=measure,
)
