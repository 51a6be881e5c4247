"""Whether rates stay as tables grow, and how large users and events are."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Final

from deploy.tokens import mint_token, new_private_key, public_key
from tests.bench.bench import measuring
from tests.bench.figure import Experiment, Figure, Promise
from tests.bench.fill import clerk_id
from tests.bench.sizes import measure_lock, measure_sizes
from tests.bench.stage import over
from tests.bench.wal import find_place
from tests.bench.wrk import ask, make_request, write_requests

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench
    from tests.bench.stage import Stage

FEW: Final = "few"
MANY: Final = "many"
SIZES: Final[Mapping[str, tuple[int, int]]] = {FEW: (10_000, 100), MANY: (1_000_000, 1_000)}
"""Contestant -> how many users it has, and how many where all is gone through quickly."""
KINDS: Final[Mapping[str, str]] = {
    "user": "a user with all that belongs to one",
    "event": "an event in the ledger",
    "change": "a change in the outbox",
}


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure the API and a worker over one database after the other."""
    found: dict[str, Mapping[str, float]] = {}
    for who, (full, quick) in SIZES.items():
        async with over(bench, bench.choose(full, quick)) as stage:
            sizes = await measure_sizes(stage)
            async with stage.steady():
                # Reads first: afterwards the server vacuums for a while.
                api, worker = await measure_api(stage), await measure_worker(stage)
            found[who] = {**sizes, **api, **worker, "lock": await measure_lock(stage)}
    return found


async def measure_worker(stage: Stage) -> Mapping[str, float]:
    """Measure a worker on a backlog, once it has applied some."""
    bench = stage.bench
    warm, events = bench.choose((60_000, 40_000), (500, 500))
    backlog = await stage.publish(warm + events, seed=int.from_bytes(os.urandom(4)))
    async with bench.serving("workers", DATABASE_URL=stage.url) as worker:
        await backlog.reach(warm)
        begun, server = await backlog.count_applied(), bench.postgres_cpu_s()
        place = await find_place(stage.database)
        with measuring(worker) as cost:
            await backlog.reach(backlog.count)
        wal = await find_place(stage.database) - place
    count = max(1, backlog.count - begun)  # a few may be all applied by now
    return {
        "worker": count / cost.seconds,
        "worker_cpu": cost.cpu_s / count * 1e6,
        "worker_server": (bench.postgres_cpu_s() - server) / count * 1e6,
        "wal": wal / count,
    }


async def measure_api(stage: Stage) -> Mapping[str, float]:
    """Measure an API process on profiles of users by chance."""
    bench, key = stage.bench, new_private_key()
    token = mint_token(key, user_id="user_x", minutes=60)
    chance = random.Random()  # noqa: S311  # nobody has to guess it
    reads = [
        make_request(
            *("GET", f"/v1/users/{clerk_id('user', chance.randrange(stage.users))}"),
            {"Authorization": f"Bearer {token}"},
        )
        for _ in range(bench.choose(60_000, 200))
    ]
    path = write_requests(reads, bench.directory / "reads")
    async with bench.serving(
        "api",
        DATABASE_URL=stage.url,
        CLERK_JWT_KEY=public_key(key),
        API_RATE_LIMITS="off",
        API_CACHE_MAX_BYTES="0",
    ) as api:
        await ask(api, path, seconds=bench.choose(3, 1))
        server = bench.postgres_cpu_s()
        with measuring(api) as cost:
            answered = await ask(api, path, seconds=bench.choose(6, 1))
    return {
        "api": answered.requests / answered.microseconds * 1e6,
        "api_cpu": cost.cpu_s / answered.requests * 1e6,
        "api_server": (bench.postgres_cpu_s() - server) / answered.requests * 1e6,
    }


EXPERIMENT: Final = Experiment(
    name="growth",
    says="An API process without its cache on reads of users by chance, then a worker on events of"
    " them, in a small database and in a large one; every page was used and changed since the"
    " last checkpoint.",
    contestants={FEW: "10,000 users", MANY: "1,000,000 users"},
    figures=(
        Figure(
            name="worker",
            says="events that a worker applies in a second",
            unit="/s",
            promises=(Promise(bound=0.8, of=FEW, who=MANY),),
        ),
        Figure(name="worker_cpu", says="CPU time of it for each", unit="us", better="less"),
        Figure(
            name="worker_server", says="PostgreSQL's CPU time for each", unit="us", better="less"
        ),
        Figure(name="wal", says="bytes of WAL for each", unit="B", better="less"),
        Figure(
            name="api",
            says="profiles that the API reads in a second",
            unit="/s",
            promises=(Promise(bound=0.8, of=FEW, who=MANY),),
        ),
        Figure(name="api_cpu", says="CPU time of it for each", unit="us", better="less"),
        Figure(name="api_server", says="PostgreSQL's CPU time for each", unit="us", better="less"),
        *(
            Figure(name=name, says=f"bytes of {what}, {part}", unit="B", better="less")
            for kind, what in KINDS.items()
            for name, part in (
                (kind, "indexes included"),
                (f"{kind}_indexes", "its indexes alone"),
            )
        ),
        Figure(
            name="lock",
            says="how long telling a change keeps others from telling, 500 together",
            unit="us",
            better="less",
        ),
    ),
    measure=measure,
    long=True,
)
