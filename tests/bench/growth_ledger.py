"""Whether the ledger stays as cheap: `.venv/bin/python -m tests.bench.growth_ledger`.

What PostgreSQL takes to record an event of this month, in batches as workers write them: with more
and more months in the ledger, then with more and more events in this one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import asyncpg

from deploy.migrate import migrate
from deploy.stack import Postgres
from schema.postgres.statements import read_statements
from tests.bench.cost_meter import cpu_of
from tests.bench.growth_events import make_events
from tests.bench.growth_fill import execute_found
from tests.factories import make_record
from workers.decode import decode
from workers.record import Applied, record

if TYPE_CHECKING:
    from collections.abc import Sequence

    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

MONTHS: Final = (2, 12, 60)
ROWS: Final = (100_000, 3_000_000)
EVENTS: Final = 10_000
BATCH: Final = 500
USERS: Final = 1_000_000
_SQL: Final = read_statements(__file__)


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What it took to record events."""

    months: int
    rows: int
    """How many this month had before."""
    server_us: float
    """CPU time of PostgreSQL for each."""
    wall_us: float
    """From statement to commit."""


async def measure_recording(connection: Connection, *, months: int, seed: int) -> Recorded:
    """Record events of now."""
    made = list(make_events(EVENTS, users=USERS, seed=seed))
    applied = [
        Applied(decode(make_record(each.value, headers=each.headers)), "applied") for each in made
    ]
    rows = await connection.fetchval(_SQL["count_rows"])
    server, pid = 0.0, connection.get_server_pid()
    walls = []
    for start in range(0, EVENTS, BATCH):
        before, begun = cpu_of(pid), time.perf_counter()
        async with connection.transaction():
            await record(connection, applied[start : start + BATCH], erased=())
        walls.append(time.perf_counter() - begun)
        server += cpu_of(pid) - before
    return Recorded(
        months=months,
        rows=int(rows),
        server_us=server / EVENTS * 1e6,
        wall_us=statistics.median(walls) / BATCH * 1e6,
    )


async def measure(url: str, *, months: Sequence[int], rows: Sequence[int]) -> list[Recorded]:
    """Measure one after the other; the first run warms up."""
    found: list[Recorded] = []
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool, pool.acquire() as held:
        for count in months:
            await execute_found(held, "make_months", count)
            if not found:
                await measure_recording(held, months=count, seed=len(found))
            found.append(await measure_recording(held, months=count, seed=1 + len(found)))
        for count in rows:
            there = await held.fetchval(_SQL["count_rows"])
            now = datetime.now(UTC)
            await held.execute(_SQL["add_rows"], there, count, now, timeout=600)
            await held.execute("VACUUM ANALYZE events")
            await held.execute("CHECKPOINT")
            found.append(await measure_recording(held, months=months[-1], seed=count))
    return found


def main() -> None:
    """Measure, print and note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS)
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        data = Path(name)
        with Postgres(data=data / "postgres", log=data / "postgres.log") as server:
            asyncio.run(migrate(server.url))
            found = asyncio.run(measure(server.url, months=MONTHS, rows=options.rows))
    for each in found:
        print(
            f"{each.months:3} months, {each.rows:10,} events this month:"
            f" {each.server_us:6.1f} us of PostgreSQL, {each.wall_us:6.1f} us in all, each"
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(each) for each in found], indent=1))


if __name__ == "__main__":
    main()
