"""Whether a backlog drains as fast at its end: `python -m tests.bench.growth_backlog --data DIR`.

So many events wait in Kafka, of users by chance; one worker applies them. Its rate and memory over
the time, and those of the first and the last tenth compared. `--publish` only makes the backlog,
which takes a minute for a million events; what waits already is what is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from tests.bench.growth_stage import Backlog, staged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.growth_stage import Stage

EVERY_S: Final = 0.5


@dataclass(frozen=True, kw_only=True)
class Look:
    """How far it was at a moment."""

    seconds: float
    applied: int
    memory_mb: float


async def find_backlog(stage: Stage) -> Backlog:
    """Return what waits."""
    ends, applied = await stage.find_ends(), await stage.find_applied()
    begins = {partition: applied.get(partition, 0) for partition in ends}
    return Backlog(stage=stage, begins=begins, count=sum(ends.values()) - sum(begins.values()))


async def drain(backlog: Backlog) -> list[Look]:
    """Let a worker apply what waits, and look at it twice a second."""
    looks = [Look(seconds=0.0, applied=0, memory_mb=0.0)]
    with backlog.stage.running("workers", "WORKER_METRICS_PORT") as (worker, _port):
        process, begun = psutil.Process(worker.pid), time.perf_counter()
        while looks[-1].applied < backlog.count:
            await asyncio.sleep(EVERY_S)
            applied = await backlog.count_applied()
            memory_mb = process.memory_info().rss / 2**20
            seconds = time.perf_counter() - begun
            looks.append(Look(seconds=seconds, applied=applied, memory_mb=memory_mb))
    return looks


def compare_tenths(looks: Sequence[Look]) -> dict[str, float]:
    """Return rate and memory of the first tenth of the events, and of the last."""
    total = looks[-1].applied
    begun = max(n for n, look in enumerate(looks) if look.applied == looks[0].applied)
    first = next(n for n, look in enumerate(looks) if look.applied >= total / 10)
    last = max(n for n, look in enumerate(looks) if look.applied <= total * 9 / 10)
    return {
        "events": total,
        "seconds": looks[-1].seconds,
        "first_per_s": _rate(looks[begun], looks[first]),
        "last_per_s": _rate(looks[last], looks[-1]),
        "first_mb": max(look.memory_mb for look in looks[: first + 1]),
        "last_mb": max(look.memory_mb for look in looks[last:]),
        "most_mb": max(look.memory_mb for look in looks),
    }


def _rate(begun: Look, ended: Look) -> float:
    return (ended.applied - begun.applied) / (ended.seconds - begun.seconds)


async def measure(data: Path, *, users: int, publish: int) -> dict[str, Any] | None:
    """Make the backlog, or measure it."""
    async with staged(data / str(users), users, tuned=True) as stage:
        if publish:
            await stage.publish(publish, seed=publish)
            print(f"{(await find_backlog(stage)).count:,} wait")
            return None
        looks = await drain(await find_backlog(stage))
    points = [[round(look.seconds, 1), look.applied, round(look.memory_mb)] for look in looks]
    return compare_tenths(looks) | {"users": users, "points": points}


def main() -> None:
    """Measure, print and note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--publish", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    found = asyncio.run(measure(options.data, users=options.users, publish=options.publish))
    if found:
        print({name: value for name, value in found.items() if name != "points"})
        if options.json:
            options.json.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
