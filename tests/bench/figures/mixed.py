"""Reads of every kind at a steady rate, while a worker applies what changes."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import islice, pairwise
from random import Random
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
import asyncpg
from aiokafka import AIOKafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from deploy.tokens import mint_token, new_private_key, public_key
from schema.kafka.topics import USER_EVENTS
from schema.postgres.statements import read_statements
from tests.bench.events import make_events
from tests.bench.figure import Experiment, Figure, Promise
from tests.bench.fill import clerk_id, fill
from tests.bench.paced import WARM_S, pace, percentiles
from tests.bench.wrk import make_request
from tests.leftovers import skip_leftovers
from tests.zipf import zipf_numbers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.bench import Bench, Server

USERS: Final = 10_000
CALLERS: Final = 500
"""Users with a token, each asking twice a second."""
EVENTS: Final = 100
"""Events of users in a second, beside the reads."""
QUERIES: Final = "queries"
_SQL: Final = read_statements(__file__)


class Route(NamedTuple):
    """What is asked for."""

    says: str
    rate: int
    """How often in a second."""
    path: Callable[[str, str], str]
    """Who asks, whom it is about -> where."""


ROUTES: Final[Mapping[str, Route]] = {
    "profiles": Route("a user", 600, lambda _, other: f"/v1/users/{other}"),
    "me": Route("the caller", 80, lambda _, __: "/v1/me"),
    "data": Route("what is known of the caller", 60, lambda own, _: f"/v1/users/{own}/data"),
    "history": Route("events of the caller", 40, lambda own, _: f"/v1/users/{own}/history"),
    "list of users": Route("the newest 50 users", 60, lambda _, __: "/v1/users?limit=50"),
    "list of posts": Route("the newest 50 posts", 100, lambda _, __: "/v1/posts?limit=50"),
    "posts of a user": Route("their posts", 60, lambda _, other: f"/v1/users/{other}/posts"),
}
STATEMENTS: Final = (
    *("read_callers", "read_profiles", "read_user", "read_data", "list_events_of", "list_users"),
    *("list_published_posts", "list_published_posts_of"),
)
LISTS: Final = ("history", "list of users", "list of posts", "posts of a user")


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Ask for everything at once, by the clock."""
    users, seconds = bench.choose((USERS, 15.0), (200, 1.0))
    key = new_private_key()
    await skip_leftovers(bench.stack.bootstrap_servers)  # of other experiments
    async with bench.database() as url, AsyncExitStack() as running:
        await fill(url, users)
        await _add_posts(url)
        await running.enter_async_context(
            bench.serving(
                "workers",
                cores=bench.cores.rest,
                DATABASE_URL=url,
            )
        )
        settings = {"DATABASE_URL": url, "CLERK_JWT_KEY": public_key(key)}
        server = await running.enter_async_context(
            bench.serving("api", API_RATE_LIMITS="off", settings=settings)
        )
        changing = asyncio.create_task(change(bench, users=users, seconds=WARM_S + seconds))
        found = await ask(server, make_reads(users, key=key), seconds=seconds)
        await changing
        queries = await fetch_queries(server)
    return {**found, **queries}


def make_reads(users: int, *, key: str) -> Mapping[str, Sequence[bytes]]:
    """Return route -> reads of it, by signed-in users, of some of whom many ask."""
    chance = Random(3)  # noqa: S311  # the same reads each time
    callers = [clerk_id("user", number) for number in range(min(CALLERS, users))]
    signed = [
        (caller, {"Authorization": f"Bearer {mint_token(key, user_id=caller, minutes=60)}"})
        for caller in callers
    ]
    reads: dict[str, list[bytes]] = {}
    for name, route in ROUTES.items():
        reads[name] = []
        for number in islice(zipf_numbers(users, s=1.1, seed=route.rate), 5_000):
            caller, headers = chance.choice(signed)
            path = route.path(caller, clerk_id("user", number))
            reads[name].append(make_request("GET", path, headers))
    return reads


async def ask(
    server: Server, reads: Mapping[str, Sequence[bytes]], *, seconds: float
) -> Mapping[str, Mapping[str, float]]:
    """Return how long answers took, by route."""
    latencies = await asyncio.gather(
        *(
            pace(server, reads[name], rate=route.rate, seconds=seconds, seed=seed, connections=32)
            for seed, (name, route) in enumerate(ROUTES.items())
        )
    )
    return dict(zip(ROUTES, map(percentiles, latencies), strict=True))


async def change(bench: Bench, *, users: int, seconds: float) -> None:
    """Put events on Kafka by the clock."""
    count = int(EVENTS * seconds)
    started = time.monotonic()
    async with AIOKafkaProducer(bootstrap_servers=bench.stack.bootstrap_servers) as producer:
        for number, made in enumerate(make_events(count, users=users, seed=1)):
            await asyncio.sleep(max(0.0, started + number / EVENTS - time.monotonic()))
            await producer.send(
                USER_EVENTS.name,
                made.value,
                key=made.user_id.encode(),
                headers=list(made.headers),
            )
        await producer.flush()


async def fetch_queries(server: Server) -> Mapping[str, Mapping[str, float]]:
    """Return percentiles of every statement, and of all together, since the start in ms."""
    counts: dict[str, dict[float, float]] = {}
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/metrics") as page:
        for family in text_string_to_metric_families(await page.text()):
            for sample in family.samples:
                if sample.name == "clerkwork_query_seconds_bucket":
                    bound = float(sample.labels["le"])
                    for name in (sample.labels["statement"], QUERIES):
                        buckets = counts.setdefault(name, {})
                        buckets[bound] = buckets.get(bound, 0.0) + sample.value
    return {name: _cut(counts[name]) for name in (QUERIES, *STATEMENTS) if name in counts}


def _cut(buckets: Mapping[float, float]) -> Mapping[str, float]:
    return {f"p{part}": _estimate(buckets, part / 100) * 1000 for part in (50, 95, 99)}


def _estimate(buckets: Mapping[float, float], part: float) -> float:
    """Return a quantile as PromQL's histogram_quantile does: evenly within its bucket."""
    bounds = [(0.0, 0.0), *sorted(buckets.items())]
    wanted = bounds[-1][1] * part
    for (low, below), (high, within) in pairwise(bounds):
        if within >= wanted:
            if high == float("inf"):
                return low
            return low + (high - low) * (wanted - below) / ((within - below) or 1)
    return 0.0


async def _add_posts(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(_SQL["fill_posts"])
    await connection.execute("VACUUM ANALYZE posts")
    await connection.close()


EXPERIMENT: Final = Experiment(
    name="mixed",
    says=f"{sum(route.rate for route in ROUTES.values()):,} reads a second of {CALLERS} signed-in"
    f" users at one API process on its own core, while a worker applies {EVENTS} events a second.",
    contestants={
        **{name: f"{route.says}, {route.rate} times a second" for name, route in ROUTES.items()},
        QUERIES: "all statements, from sending one to its last row",
        **dict.fromkeys(STATEMENTS, "this statement, estimated by its buckets"),
    },
    figures=(
        Figure(name="p50", says="median", unit="ms", better="less", of_limit=False),
        Figure(
            name="p95",
            says="95th percentile",
            unit="ms",
            better="less",
            of_limit=False,
            promises=tuple(Promise(bound=100, of=None, who=name) for name in LISTS),
        ),
        Figure(
            name="p99",
            says="99th percentile",
            unit="ms",
            better="less",
            of_limit=False,
            promises=(Promise(bound=50, of=None, who=QUERIES),),
        ),
    ),
    measure=measure,
)
