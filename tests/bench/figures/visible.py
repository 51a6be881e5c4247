"""A webhook all the way: from its arrival to an answer of the API, and to the change topic."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Final

import aiohttp
import asyncpg

from deploy.tokens import mint_token, new_private_key, public_key
from tests.bench.figure import OURS, Experiment, Figure, Promise
from tests.bench.hear import hearing, is_heard
from tests.bench.paced import WARM_S, pace, percentiles
from tests.bench.webhooks import make_webhooks
from tests.factories import CREATED_MS, SECRET, new_user_id, sign, user_event
from tests.leftovers import skip_leftovers
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from aiokafka import ConsumerRecord

    from tests.bench.bench import Bench, Server

IDLE: Final = "idle"
BUSY: Final = "60 % load"
FULL: Final = "full load"
LOADS: Final = {IDLE: 0.0, OURS: 0.3, BUSY: 0.6}
"""Contestant -> its share of what goes through when as much comes as ingest takes."""
PROBES: Final = 32
"""Users whose webhooks are followed, one after the other."""
PROBES_PER_S: Final = 20
COUNT: Final = "SELECT count(*) FROM events"
BACKLOG: Final = """
    SELECT count(*) FROM outbox
    WHERE position > (SELECT position FROM relay_progress WHERE name = 'outbox')
"""


@dataclass(frozen=True, kw_only=True)
class Walk:
    """Everything from ingest to the API, each a process of its own."""

    ingest: Server
    api: Server
    database: asyncpg.Connection[asyncpg.Record]
    session: aiohttp.ClientSession
    tokens: Mapping[str, str]
    """User -> a token of theirs."""

    heard: defaultdict[str, list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """User -> which versions came out on the change topic, and when."""

    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def note(self, record: ConsumerRecord[bytes, bytes]) -> None:
        """Take note of what came out, where it is followed."""
        user_id = (record.key or b"").decode()
        if user_id in self.tokens and record.value:
            version = json.loads(record.value)["version"]
            self.heard[user_id].append((version, time.perf_counter()))

    async def applied(self) -> int:
        """Return how many webhooks are in the ledger."""
        return await self.database.fetchval(COUNT)

    async def backlog(self) -> int:
        """Return how many changes nobody knows to be on their topic."""
        return await self.database.fetchval(BACKLOG)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How long after it was due a webhook was where, in ms."""

    answered: float
    api: float
    topic: float


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure what goes through at most; then follow webhooks while a share of that comes."""
    await skip_leftovers(bench.stack.bootstrap_servers)
    key = new_private_key()
    users = list(itertools.islice(filter(is_heard, iter(new_user_id, "")), PROBES))
    async with AsyncExitStack() as running:
        walk = await _start(bench, running, key=key, users=users)
        # They are there, and everything has been used once.
        await asyncio.gather(*(follow(walk, due=time.perf_counter()) for _ in users))
        most = await measure_most(bench, walk)
        found: dict[str, Mapping[str, float]] = {FULL: {"rate": most}}
        for who, share in LOADS.items():
            found[who] = await measure_load(bench, walk, rate=share * most)
    return found


async def _start(bench: Bench, running: AsyncExitStack, *, key: str, users: Sequence[str]) -> Walk:
    enter = running.enter_async_context
    url = await enter(bench.database())
    every = [*bench.cores.server, *bench.cores.rest]

    async def serve(module: str, **settings: str) -> Server:
        return await enter(bench.serving(module, cores=every, DATABASE_URL=url, settings=settings))

    await serve("workers")
    await serve("workers.relay")
    ingest = await serve("ingest", CLERK_WEBHOOK_SIGNING_SECRET=SECRET)
    api = await serve("api", CLERK_JWT_KEY=public_key(key), API_RATE_LIMITS="off")
    database = await asyncpg.connect(url)
    running.push_async_callback(database.close)
    walk = Walk(
        ingest=ingest,
        api=api,
        database=database,
        session=await enter(aiohttp.ClientSession()),
        tokens={user: mint_token(key, user_id=user, minutes=60) for user in users},
    )
    await enter(hearing(bench.stack.bootstrap_servers, walk.note))
    return walk


async def measure_most(bench: Bench, walk: Walk) -> float:
    """Return how many webhooks a second go all the way when as many come as ingest takes."""
    count = bench.choose(8_000, 400)
    before, began = await walk.applied(), time.perf_counter()
    await pace(walk.ingest, make_webhooks(count), rate=count / WARM_S, seconds=0)
    await until(walk.applied, lambda found: found >= before + count)
    rate = count / (time.perf_counter() - began)
    await until(walk.backlog, lambda found: found == 0)
    return rate


async def measure_load(bench: Bench, walk: Walk, *, rate: float) -> Mapping[str, float]:
    """Follow some webhooks while so many others come."""
    seconds = bench.choose(8.0, 1.0)
    before = await walk.applied()
    others = make_webhooks(int(rate * (WARM_S + seconds)))
    probing = asyncio.create_task(_follow_all(walk, seconds=WARM_S + seconds))
    if others:
        await pace(walk.ingest, others, rate=rate, seconds=seconds)
    probes = await probing
    await until(walk.applied, lambda found: found >= before + len(others) + len(probes))
    return {
        "rate": rate,
        **_percentiles("", [each.api for each in probes]),
        **_percentiles("topic_", [each.topic for each in probes]),
        **_percentiles("answer_", [each.answered for each in probes]),
    }


def _percentiles(prefix: str, latencies: Sequence[float]) -> Mapping[str, float]:
    return {f"{prefix}{name}": value for name, value in percentiles(latencies).items()}


async def _follow_all(walk: Walk, *, seconds: float) -> Sequence[Probe]:
    chance = Random(2)  # noqa: S311  # the same arrivals each time
    due, end = time.perf_counter(), time.perf_counter() + seconds
    following: list[Awaitable[Probe]] = []
    while (due := due + chance.expovariate(PROBES_PER_S)) < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        following.append(asyncio.create_task(follow(walk, due=due)))
    return (await asyncio.gather(*following))[int(PROBES_PER_S * WARM_S) :]


async def follow(walk: Walk, *, due: float) -> Probe:
    """Post one webhook and ask for what it says, as who waits for it does."""
    number = next(walk.numbers)
    user_id, token = list(walk.tokens.items())[number % len(walk.tokens)]
    # A name that is another one: what others do not see is not told.
    body = user_event(user_id, at=number, first_name=f"Ada {number}")
    version = CREATED_MS + number
    async with walk.session.post(
        f"{walk.ingest.url}/webhooks/clerk", data=body, headers=sign(body)
    ) as response:
        response.raise_for_status()
        answered = time.perf_counter()
    async with walk.session.get(
        f"{walk.api.url}/v1/me?min_version={version}",
        headers={"Authorization": f"Bearer {token}", "Prefer": "wait=10"},
    ) as response:
        response.raise_for_status()
        api = time.perf_counter()

    async def hear() -> float:
        # A worker that has several of a user together tells the last of them.
        return next((at for seen, at in walk.heard[user_id] if seen >= version), 0.0)

    topic = await until(hear, bool)
    return Probe(
        answered=(answered - due) * 1000, api=(api - due) * 1000, topic=(topic - due) * 1000
    )


def _figures(prefix: str, says: str, bounds: Callable[[str], tuple[Promise, ...]]) -> list[Figure]:
    return [
        Figure(
            name=f"{prefix}{part}",
            says=f"from when a webhook was due {says}, {part}",
            unit="ms",
            better="less",
            of_limit=False,
            promises=bounds(part),
        )
        for part in ("p50", "p95", "p99")
    ]


BOUNDS: Final = {"p50": (Promise(bound=30, of=None),), "p99": (Promise(bound=150, of=None),)}

EXPERIMENT: Final = Experiment(
    name="visible",
    says="Webhooks through ingest, Kafka, a worker and PostgreSQL, all on the same cores together"
    f" with relay, API and load; {PROBES_PER_S} a second are followed, the others only sent.",
    contestants={
        FULL: "as many webhooks as ingest takes, until all are applied",
        OURS: "30 % of that, by the clock; the API is asked with min_version and Prefer: wait",
        BUSY: "60 % of it",
        IDLE: "nothing but what is followed",
    },
    figures=(
        Figure(name="rate", says="webhooks in a second", unit="/s", of_limit=False),
        *_figures("", "to an answer of the API that shows it", lambda part: BOUNDS.get(part, ())),
        *_figures("topic_", "to a reader of the change topic", lambda _: ()),
        *_figures("answer_", "to ingest's answer", lambda _: ()),
    ),
    measure=measure,
)
