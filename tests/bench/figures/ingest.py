"""A webhook through ingest: how many a second one process takes, and how long they wait."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from tests.bench.figure import CORE, LIMIT, MEMORY, NAIVE, OURS, Experiment, Figure, Promise
from tests.bench.served import measure_server
from tests.bench.webhooks import make_webhooks
from tests.factories import SECRET

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager

    from tests.bench.bench import Bench, Server

DISTINCT: Final = 4_000


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure each of them alone: as much as it takes, and then half of that by the clock."""
    webhooks = make_webhooks(bench.choose(DISTINCT, 200))
    found: dict[str, Mapping[str, float]] = {}
    for who, server in _contestants(bench).items():
        async with server as running:
            found[who] = await measure_server(bench, running, webhooks)
    return found


def _contestants(bench: Bench) -> Mapping[str, AbstractAsyncContextManager[Server]]:
    found = {
        LIMIT: bench.serving("tests.bench.rivals.bare"),
        OURS: bench.serving("ingest", CLERK_WEBHOOK_SIGNING_SECRET=SECRET),
    }
    if find_spec("fastapi"):  # only `deploy/run bench` installs it
        found[NAIVE] = bench.serving("tests.bench.rivals.ingest")
    return found


EXPERIMENT: Final = Experiment(
    name="ingest",
    says="Signed webhooks of about 2 kB, each of another event, to one process on its own core;"
    " 202 once all of Kafka has it.",
    contestants={
        LIMIT: "a bare aiohttp handler with uvloop, that reads the body and answers",
        OURS: "ingest with everything on",
        NAIVE: "FastAPI, svix, and a send that is waited for",
    },
    figures=(
        Figure(
            name="rate",
            says="webhooks that one core takes in a second",
            unit="/s",
            promises=(Promise(bound=0.35),),
        ),
        Figure(name="cpu", says="CPU time for each webhook", unit="us", better="less"),
        CORE,
        Figure(name="p50", says="answer at half of the rate, median", unit="ms", better="less"),
        Figure(name="p95", says="answer at half of the rate, p95", unit="ms", better="less"),
        Figure(
            name="p99",
            says="answer at half of the rate (but at most 8,000/s), p99",
            unit="ms",
            better="less",
            promises=(Promise(bound=25, of=None),),
        ),
        MEMORY,
    ),
    measure=measure,
)
