"""Whether rates stay as tables grow."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tests.bench.figure import Experiment, Figure, Promise
from tests.bench.growth import measure_api, measure_worker
from tests.bench.growth_stage import over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench

FEW: Final = "few"
MANY: Final = "many"
SIZES: Final[Mapping[str, tuple[int, int]]] = {FEW: (10_000, 100), MANY: (1_000_000, 1_000)}
"""Contestant -> how many users it has, and how many where all is gone through quickly."""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Fill one database after the other, and measure a worker and the API over it."""
    events, reads = bench.choose((30_000, 15_000), (500, 200))
    found: dict[str, Mapping[str, float]] = {}
    for who, (full, quick) in SIZES.items():
        async with over(bench, bench.choose(full, quick)) as stage:
            seed = int.from_bytes(os.urandom(4))
            api = await measure_api(stage, reads=reads, seed=seed)
            await stage.database.execute("CHECKPOINT")
            worker = await measure_worker(stage, events=events, seed=seed)
        found[who] = {
            "worker": worker.per_second,
            "worker_cpu": worker.cpu_us,
            "worker_server": worker.server_us,
            "wal": worker.wal_bytes,
            "api": api.per_second,
            "api_cpu": api.cpu_us,
            "api_server": api.server_us,
        }
    return found


EXPERIMENT: Final = Experiment(
    name="growth",
    says="One worker on events of users by chance, then one API process on reads of them without"
    " its cache, in a small database and in a large one; soon after a checkpoint.",
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
    ),
    measure=measure,
    runs=1,
)
