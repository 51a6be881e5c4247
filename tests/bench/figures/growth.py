"""Whether rates stay as tables grow, and how large users and events are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tests.bench.cost_month import bytes_per
from tests.bench.figure import Experiment, Figure, Promise
from tests.bench.growth import measure_api, measure_worker
from tests.bench.growth_sizes import measure_sizes
from tests.bench.growth_stage import over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench
    from tests.bench.growth_stage import Stage

FEW: Final = "few"
MANY: Final = "many"
SIZES: Final[Mapping[str, tuple[int, int]]] = {FEW: (10_000, 100), MANY: (1_000_000, 1_000)}
"""Contestant -> how many users it has, and how many where all is gone through quickly."""
ROWS: Final = {"users": "user", "events": "event", "outbox": "change"}
"""Table -> the figure of its size."""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Measure the API and a worker over one database after the other."""
    found: dict[str, Mapping[str, float]] = {}
    for who, (full, quick) in SIZES.items():
        async with over(bench, bench.choose(full, quick)) as stage:
            sizes = {"size": {"sizes": await measure_sizes(stage)}}
            rates = await measure_rates(bench, stage)
        found[who] = rates | {figure: bytes_per(sizes, table) for table, figure in ROWS.items()}
    return found


async def measure_rates(bench: Bench, stage: Stage) -> dict[str, float]:
    """Return what the API and a worker make of it, once every page was used."""
    events, warm, reads = bench.choose((40_000, 60_000, 15_000), (500, 500, 200))
    seed = int.from_bytes(os.urandom(4))
    async with stage.steady():
        api = await measure_api(stage, reads=reads, seed=seed)
        worker = await measure_worker(stage, events=events, warm=warm, seed=seed)
    return {
        "worker": worker.per_second,
        "worker_cpu": worker.cpu_us,
        "worker_server": worker.server_us,
        "wal": worker.wal_bytes,
        "api": api.per_second,
        "api_cpu": api.cpu_us,
        "api_server": api.server_us,
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
            Figure(
                name=figure,
                says=f"bytes of a row of {table} with all that belongs to it, indexes included",
                unit="B",
                better="less",
            )
            for table, figure in ROWS.items()
        ),
    ),
    measure=measure,
    long=True,
)
