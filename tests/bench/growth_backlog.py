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
from aiokafka import AIOKafkaConsumer, TopicPartition

from schema.kafka.topics import USER_EVENTS
from tests.bench.growth_stage import staged

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.bench.growth_stage import Stage

EVERY_S: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Look:
    """How far it was at a moment."""

    seconds: float
    applied: int
    memory_mb: float


async def count_waiting(stage: Stage) -> int:
    """Return how many events Kafka has that are not applied."""
    consumer = AIOKafkaConsumer(bootstrap_servers=stage.stack.bootstrap_servers)
    async with consumer:
        numbers = range(USER_EVENTS.partitions)
        partitions = [TopicPartition(USER_EVENTS.name, number) for number in numbers]
        ends = await consumer.end_offsets(partitions)
    return sum(ends.values()) - await stage.count_applied()


async def drain(stage: Stage) -> list[Look]:
    """Let a worker apply what waits, and look at it every second."""
    waiting, before = await count_waiting(stage), await stage.count_applied()
    looks: list[Look] = []
    with stage.running("workers", "WORKER_METRICS_PORT") as (worker, _port):
        process, begun = psutil.Process(worker.pid), time.perf_counter()
        while not looks or looks[-1].applied < waiting:
            await asyncio.sleep(EVERY_S)
            applied = await stage.count_applied() - before
            memory_mb = process.memory_info().rss / 2**20
            looks.append(
                Look(
                    seconds=time.perf_counter() - begun,
                    applied=applied,
                    memory_mb=memory_mb,
                )
            )
    return looks


def compare_tenths(looks: Sequence[Look]) -> dict[str, float]:
    """Return rate and memory of the first tenth of the events, and of the last."""
    total = looks[-1].applied
    first = [look for look in looks if look.applied <= total / 10]
    last = [look for look in looks if look.applied >= total * 9 / 10]
    return {
        "events": total,
        "seconds": looks[-1].seconds,
        "first_per_s": _rate(first),
        "last_per_s": _rate(last),
        "first_mb": max(look.memory_mb for look in first),
        "last_mb": max(look.memory_mb for look in last),
        "most_mb": max(look.memory_mb for look in looks),
    }


def _rate(looks: Sequence[Look]) -> float:
    begun = next(look for look in looks if look.applied)
    ended = looks[-1]
    return (ended.applied - begun.applied) / max(EVERY_S, ended.seconds - begun.seconds)


async def measure(data: Path, *, users: int, publish: int) -> dict[str, Any] | None:
    """Make the backlog, or measure it."""
    async with staged(data / str(users), users) as stage:
        if publish:
            await stage.publish(publish, seed=publish)
            print(f"{await count_waiting(stage):,} wait")
            return None
        looks = await drain(stage)
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
