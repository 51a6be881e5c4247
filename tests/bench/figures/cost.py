"""What events cost on their whole way: CPU time by process, and WAL."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tests.bench.cost import measure_cost
from tests.bench.figure import OURS, Experiment, Figure
from tests.bench.growth_stage import over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench

WHO: Final[Mapping[str, str]] = {
    "ingest": "ingest",
    "worker": "the worker",
    "relay": "the relay",
    "api": "one API process, hearing of each change",
    "kafka": "Kafka",
    "postgresql": "PostgreSQL, all its processes",
}
"""Figure -> whose CPU time it is."""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Send signed webhooks, and wait until the last of their changes is published."""
    users, events = bench.choose((100_000, 10_000), (500, 500))
    async with over(bench, users) as stage:
        cost = await measure_cost(stage, events=events, seed=int.from_bytes(os.urandom(4)))
    spent: Mapping[str, float] = cost["cpu_s_per_100k"]
    found = {
        name: sum(each for who, each in spent.items() if who.lower().startswith(name))
        for name in WHO
    }
    wal, images = cost["wal_bytes_per_event"], cost["wal_image_bytes_per_event"]
    return {OURS: {**found, "cpu": sum(spent.values()), "wal": wal - images, "pages": images}}


EXPERIMENT: Final = Experiment(
    name="cost",
    says="Signed webhooks of 100,000 users by chance, all the way to the relay and the API; soon"
    " after a checkpoint.",
    contestants={OURS: "everything on"},
    figures=(
        Figure(name="cpu", says="CPU time of all for 100,000 events", unit="s", better="less"),
        *(
            Figure(name=name, says=f"CPU time of {who} for them", unit="s", better="less")
            for name, who in WHO.items()
        ),
        Figure(name="wal", says="WAL of each event, without whole pages", unit="B", better="less"),
        Figure(name="pages", says="whole pages in its WAL", unit="B", better="less"),
    ),
    measure=measure,
    runs=2,
)
