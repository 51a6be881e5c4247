"""Whether rates stay as tables grow: `.venv/bin/python -m tests.bench.growth --data DIR`.

One worker on events of users by chance, and one API process on reads of them without its cache,
where there are ten thousand users and where there are a million; in turns, each several times. The
databases stay below DIR, so that only the first run fills them (a million users: three minutes,
6 GB).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from tests.bench.cost_meter import cpu_of
from tests.bench.growth_fill import clerk_id
from tests.bench.growth_stage import make_signer, read_all, staged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.growth_stage import Stage

SIZES: Final = (10_000, 1_000_000)
EVENTS: Final = 30_000
READS: Final = 15_000
ROUNDS: Final = 3


@dataclass(frozen=True, kw_only=True)
class Rate:
    """What came of a run."""

    per_second: float
    cpu_us: float
    """CPU time of the process for each."""
    server_us: float
    """CPU time of PostgreSQL for each, all of its processes."""
    wal_bytes: float
    """Bytes of WAL for each."""
    memory_mb: float


async def measure_worker(stage: Stage, *, events: int, seed: int, warm: int = 0) -> Rate:
    """Measure a worker on a backlog of so many events, after `warm` others or the first of them."""
    events += warm
    backlog = await stage.publish(events, seed=seed)
    with stage.running("workers", "WORKER_METRICS_PORT") as (worker, _port):
        await backlog.reach(max(warm, events // 10))
        begun = await backlog.count_applied()
        meter = stage.meter({"worker": worker.pid})
        reading = await meter.read()
        await backlog.reach(events)
        used = await meter.used_since(reading)
        memory_mb = psutil.Process(worker.pid).memory_info().rss >> 20
    count = max(1, events - begun)  # a few may be all applied by now
    return Rate(
        per_second=count / used.seconds,
        cpu_us=used.cpu_s["worker"] / count * 1e6,
        server_us=used.server_s / count * 1e6,
        wal_bytes=used.wal.bytes / count,
        memory_mb=memory_mb,
    )


async def measure_api(stage: Stage, *, reads: int, seed: int, cache: bool = False) -> Rate:
    """Measure an API process on profiles of users by chance."""
    chance = random.Random(seed)  # noqa: S311  # nobody has to guess it
    paths = [f"/v1/users/{clerk_id('user', chance.randrange(stage.users))}" for _ in range(reads)]
    pem, token = make_signer()
    settings = {"CLERK_JWT_KEY": pem, "API_RATE_LIMITS": "off"}
    if not cache:
        settings["API_CACHE_MAX_BYTES"] = "0"
    with stage.running("api", "API_PORT", **settings) as (api, port):
        await read_all(port, paths[: reads // 10], token)
        before, meter = cpu_of(api.pid), stage.meter({})
        reading = await meter.read()
        per_second = await read_all(port, paths, token)
        cpu_s, used = cpu_of(api.pid) - before, await meter.used_since(reading)
        memory_mb = psutil.Process(api.pid).memory_info().rss >> 20
    return Rate(
        per_second=per_second,
        cpu_us=cpu_s / reads * 1e6,
        server_us=used.server_s / reads * 1e6,
        wal_bytes=used.wal.bytes / reads,
        memory_mb=memory_mb,
    )


def median(rates: Sequence[Rate]) -> Rate:
    """Return the medians of several runs."""
    columns = zip(*(asdict(rate).values() for rate in rates), strict=True)
    names = asdict(rates[0])
    return Rate(**dict(zip(names, map(statistics.median, columns), strict=True)))


async def measure(
    data: Path, *, rounds: int, sizes: Sequence[int], tuned: bool
) -> dict[str, list[Rate]]:
    """Measure both on both, in turns."""
    found: dict[str, list[Rate]] = {}
    for number in range(rounds):
        for size in sizes:
            async with staged(data / str(size), size, tuned=tuned) as stage:
                # Reads first: afterwards the server vacuums for a while.
                api = await measure_api(stage, reads=READS, seed=number)
                await stage.database.execute("CHECKPOINT")
                worker = await measure_worker(stage, events=EVENTS, seed=number)
            found.setdefault(f"worker {size}", []).append(worker)
            found.setdefault(f"api {size}", []).append(api)
    return found


def main() -> None:
    """Measure, print and note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--tuned", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    found = asyncio.run(
        measure(options.data, rounds=options.rounds, sizes=SIZES, tuned=options.tuned)
    )
    for name, rates in found.items():
        middle = median(rates)
        rest = " ".join(f"{rate.per_second:,.0f}" for rate in rates)
        print(f"{name:16} {middle}   {rest}")
    if options.json:
        notes = {name: [asdict(rate) for rate in rates] for name, rates in found.items()}
        options.json.write_text(json.dumps(notes, indent=1))


if __name__ == "__main__":
    main()
