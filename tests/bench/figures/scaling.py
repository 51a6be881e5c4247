"""More processes on one machine: what they do together, and what a change of their number costs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import psutil

from deploy.stack.ports import free_port
from tests.bench.bench import measuring
from tests.bench.figure import LIMIT, Experiment, Figure
from tests.bench.stage import over
from tests.bench.steady import longest_pause_s, steadily
from tests.bench.webhooks import make_webhooks
from tests.bench.wrk import ask, write_requests
from tests.factories import SECRET
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Mapping

    from tests.bench.bench import Bench, Server
    from tests.bench.stage import Stage
    from tests.bench.steady import Steady

INGESTS: Final = {"one ingest": 1, "two ingests": 2}
WORKERS: Final = {LIMIT: 1, "two workers": 2, "four workers": 4}
MOVES: Final = {"one to two": 2, "two to four": 4, "four to two": 2, "two to one": 1}
"""What is done -> how many there are then."""
CALM: Final = "nothing"
KILLED: Final = "one of two killed"
CALM_LAG_S: Final = 0.2
RATE: Final = 1_000.0
"""Events a second that come while workers come and go: one worker does it easily."""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure ingests, then workers with a backlog, then workers that come and go under load."""
    found: dict[str, Mapping[str, float]] = {}
    for who, count in INGESTS.items():
        found[who] = await measure_ingests(bench, count)
    async with over(bench, bench.choose(10_000, 1_000)) as stage:
        for who, count in WORKERS.items():
            found[who] = await measure_backlog(stage, count)
        return {**found, **await measure_moves(stage)}


async def measure_ingests(bench: Bench, count: int) -> Mapping[str, float]:
    """Measure so many processes on one port, with every core for all together."""
    webhooks = make_webhooks(bench.choose(4_000, 200))
    path = write_requests(webhooks, bench.directory / "requests")
    port = free_port()
    async with AsyncExitStack() as running:
        ingests = [
            await running.enter_async_context(
                bench.serving(
                    *("ingest",),
                    port=port,
                    settings={"HTTP_REUSE_PORT": "true"},
                    CLERK_WEBHOOK_SIGNING_SECRET=SECRET,
                )
            )
            for _ in range(count)
        ]
        for each in ingests:  # the first answers for all
            await until(partial(_listens, each), bool)
        with bench.together(*ingests):
            await ask(ingests[0], path, seconds=1)
            with measuring(*ingests) as cost:
                answered = await ask(ingests[0], path, seconds=bench.choose(4, 1))
    seconds = answered.microseconds / 1e6
    return {
        "rate": answered.requests / seconds,
        "cpu": cost.cpu_s / answered.requests * 1e6,
        "core": cost.cpu_s / seconds * 100,
    }


async def _listens(server: Server) -> bool:
    opened = psutil.Process(server.pid).net_connections("tcp")
    return any(each.status == psutil.CONN_LISTEN for each in opened)


async def measure_backlog(stage: Stage, count: int) -> Mapping[str, float]:
    """Measure so many workers while they work off what waits, with every core for all together."""
    events = stage.bench.choose(120_000, 3_000)
    backlog = await stage.publish(events, seed=count)
    async with AsyncExitStack() as running:
        workers = await asyncio.gather(
            *(running.enter_async_context(working(stage)) for _ in range(count))
        )
        with stage.bench.together(*workers):
            await backlog.reach(await backlog.count_applied() + events // 20)
            begun = await backlog.count_applied()
            with measuring(*workers) as cost:
                await backlog.reach(events)
    rest = max(1, events - begun)
    return {
        "rate": rest / cost.seconds,
        "cpu": cost.cpu_s / rest * 1e6,
        "core": cost.cpu_s / cost.seconds * 100,
    }


@contextlib.asynccontextmanager
async def working(stage: Stage) -> AsyncIterator[Server]:
    """Run a worker where there is room."""
    cores = [*{*stage.bench.cores.server, *stage.bench.cores.rest}]
    async with stage.bench.serving("workers", cores=cores, DATABASE_URL=stage.url) as worker:
        yield worker


@dataclass(kw_only=True)
class Crew:
    """Workers that come and go."""

    stage: Stage
    workers: list[tuple[Server, AsyncExitStack]] = field(default_factory=list)
    """Each with what ends it."""

    async def bring_to(self, count: int) -> None:
        """Start workers, or end the youngest as a roll-out would, until there are so many."""
        while len(self.workers) < count:
            ending = AsyncExitStack()
            self.workers.append((await ending.enter_async_context(working(self.stage)), ending))
        while len(self.workers) > count:
            await self.workers.pop()[1].aclose()

    def kill(self) -> None:
        """Kill the youngest, as whoever is out of memory would be."""
        os.kill(self.workers[-1][0].pid, signal.SIGKILL)


async def measure_moves(stage: Stage) -> Mapping[str, Mapping[str, float]]:
    """Have workers come and go while events come, one step after the other."""
    crew = Crew(stage=stage)
    found: dict[str, Mapping[str, float]] = {}
    try:
        await crew.bring_to(1)
        with stage.bench.together():
            async with steadily(stage, RATE) as steady:
                await watch(steady)
                found[CALM] = await watch(steady)
                for move, count in MOVES.items():
                    found[move] = await watch(steady, during=crew.bring_to(count))
                await watch(steady, during=crew.bring_to(2))
                found[KILLED] = await watch(steady, during=asyncio.to_thread(crew.kill))
    finally:
        await crew.bring_to(0)
    return found


async def watch(steady: Steady, *, during: Awaitable[None] | None = None) -> Mapping[str, float]:
    """Return what is to be seen during something, and until all has settled, in ms."""
    begun = time.perf_counter()
    if during:
        await during
    await asyncio.sleep(steady.stage.bench.choose(5.0, 1.0))
    await until(steady.latest_lag_s, lambda lag: lag < CALM_LAG_S, within_s=120)
    glances = steady.since(begun)
    return {
        "pause": longest_pause_s(glances) * 1000,
        "lag": max(map(steady.lag_s, glances)) * 1000,
    }


EXPERIMENT: Final = Experiment(
    name="scaling",
    says="Webhooks to ingests on one port; a backlog of events of 10,000 users, for workers of one"
    f" group; then {RATE:,.0f} events a second while workers come and go. Everything shares all"
    " cores.",
    contestants={
        **{who: f"{who} (HTTP_REUSE_PORT)" for who in INGESTS},
        LIMIT: "one worker",
        "two workers": "two workers of one group",
        "four workers": "four workers of one group",
        CALM: "one worker, and nothing happens",
        **{move: f"workers go from {move}" for move in MOVES},
        KILLED: "one of two workers is killed: Kafka misses it after its session timeout",
    },
    figures=(
        Figure(name="rate", says="webhooks, or events, in a second", unit="/s"),
        Figure(name="cpu", says="CPU time of them for each", unit="us", better="less"),
        Figure(name="core", says="how much of a core they had together", unit="%", of_limit=False),
        Figure(
            name="pause",
            says="longest time for which a partition got no further",
            unit="ms",
            better="less",
            of_limit=False,
        ),
        Figure(
            name="lag",
            says="how old the oldest event that was not applied was, at most",
            unit="ms",
            better="less",
            of_limit=False,
        ),
    ),
    measure=measure,
    long=True,
)
