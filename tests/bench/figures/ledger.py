"""Whether the ledger stays as cheap: with more and more months in it, and with a full month."""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import asyncpg

from schema.postgres.statements import read_statements
from tests.bench.events import make_events
from tests.bench.figure import Experiment, Figure, Promise
from tests.bench.fill import execute_found
from tests.factories import make_record
from workers.decode import decode
from workers.record import Applied, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

FEW: Final = "2 months"
MANY: Final = "60 months"
FULL: Final = "500,000 events"
MONTHS: Final[Mapping[str, int]] = {FEW: 2, "12 months": 12, MANY: 60}
BATCH: Final = 500
USERS: Final = 1_000_000
WARM: Final = 5
"""How often all is done before it counts: in an empty ledger the first events are the cheapest."""
_SQL: Final = read_statements(__file__)


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Record events of this month, as workers do, in one ledger after the other."""
    rows = bench.choose(500_000, 2_000)
    found: dict[str, Mapping[str, float]] = {}
    async with (
        bench.database() as url,
        asyncpg.create_pool(url, min_size=1, max_size=1) as pool,
        pool.acquire() as connection,
    ):
        for _ in range(WARM):
            await measure_recording(bench, connection)
        for who, months in MONTHS.items():
            await execute_found(connection, "make_months", months)
            found[who] = await measure_recording(bench, connection)
        await connection.execute(_SQL["add_rows"], rows, datetime.now(UTC), timeout=600)
        await connection.execute("VACUUM ANALYZE events")
        await connection.execute("CHECKPOINT")
        found[FULL] = await measure_recording(bench, connection)
    return found


async def measure_recording(bench: Bench, connection: Connection) -> Mapping[str, float]:
    """Return what it takes to record an event, in microseconds."""
    count = bench.choose(10_000, 1_000)
    applied = [
        Applied(decode(make_record(each.value, headers=each.headers)), "applied")
        for each in make_events(count, users=USERS, seed=time.monotonic_ns())
    ]
    before, walls = bench.postgres_cpu_s(), []
    for start in range(0, count, BATCH):
        begun = time.perf_counter()
        async with connection.transaction():
            await record(connection, applied[start : start + BATCH], erased=())
        walls.append(time.perf_counter() - begun)
    return {
        "recorded": statistics.median(walls) / BATCH * 1e6,
        "postgres": (bench.postgres_cpu_s() - before) / count * 1e6,
    }


EXPERIMENT: Final = Experiment(
    name="ledger",
    says="Events of this month, recorded in batches of 500 as workers do it.",
    contestants={
        **{who: f"a ledger of {who}" for who in MONTHS},
        FULL: "the last of them, and so many events are in this month; after a checkpoint",
    },
    figures=(
        Figure(
            name="recorded",
            says="from statement to commit, for each event",
            unit="us",
            better="less",
            promises=(Promise(bound=0.8, of=FEW, who=MANY),),
        ),
        Figure(name="postgres", says="CPU time of PostgreSQL for each", unit="us", better="less"),
    ),
    measure=measure,
    long=True,
)
