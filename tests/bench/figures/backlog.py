"""Whether a backlog drains as fast at its end as at its beginning, with as little memory."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tests.bench.figure import Curve, Experiment, Figure, Promise
from tests.bench.stage import over

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.bench.bench import Bench
    from tests.bench.stage import Backlog

BEGINNING: Final = "first tenth"
END: Final = "last tenth"
EVERY_S: Final = 0.5
POINTS: Final = 200
"""Of a curve, at most."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """How far it was at a moment."""

    seconds: float
    applied: int
    memory_mb: float


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Let a worker apply what waits."""
    events, users = bench.choose((1_000_000, 100_000), (20_000, 1_000))
    async with over(bench, users) as stage:
        looks = await drain(await stage.publish(events, seed=events))
    bench.curves.extend(draw(looks))
    return compare_tenths(looks)


async def drain(backlog: Backlog) -> list[Look]:
    """Let a worker apply what waits, and look at it twice a second."""
    looks = [Look(seconds=0.0, applied=0, memory_mb=0.0)]
    stage = backlog.stage
    async with stage.bench.serving("workers", DATABASE_URL=stage.url) as worker:
        begun = time.perf_counter()
        while looks[-1].applied < backlog.count:
            await asyncio.sleep(EVERY_S)
            applied = await backlog.count_applied()
            seconds = time.perf_counter() - begun
            looks.append(Look(seconds=seconds, applied=applied, memory_mb=worker.rss_mb()))
    return looks


def compare_tenths(looks: Sequence[Look]) -> Mapping[str, Mapping[str, float]]:
    """Return rate and memory of the first tenth of the events, and of the last."""
    total = looks[-1].applied
    begun = max(n for n, look in enumerate(looks) if look.applied == looks[0].applied)
    first = next(n for n, look in enumerate(looks) if look.applied >= total / 10)
    last = max(n for n, look in enumerate(looks) if look.applied <= total * 9 / 10)
    return {
        BEGINNING: _describe(looks[begun : first + 1]),
        END: _describe(looks[last:]),
    }


def _describe(looks: Sequence[Look]) -> Mapping[str, float]:
    return {"rate": _rate(looks[0], looks[-1]), "memory": max(look.memory_mb for look in looks)}


def _rate(begun: Look, ended: Look) -> float:
    return (ended.applied - begun.applied) / (ended.seconds - begun.seconds)


def draw(looks: Sequence[Look]) -> list[Curve]:
    """Return the rate and the memory over the time."""
    drawn = looks[1 :: len(looks) // POINTS + 1]
    rates = [(after.seconds, _rate(before, after)) for before, after in pairwise(drawn)]
    memory = [(each.seconds, each.memory_mb) for each in drawn]
    return [
        Curve(figure=f"{name}_over_time", series="worker", x="seconds", y=unit, points=points)
        for name, unit, points in (("rate", "events a second", rates), ("memory", "MB", memory))
    ]


EXPERIMENT: Final = Experiment(
    name="backlog",
    says="A million events of 100,000 users wait in Kafka; one worker applies them.",
    contestants={BEGINNING: "the first tenth of them", END: "the last tenth"},
    figures=(
        Figure(
            name="rate",
            says="events applied in a second",
            unit="/s",
            promises=(Promise(bound=0.8, of=BEGINNING, who=END),),
        ),
        Figure(
            name="memory",
            says="resident memory of the worker, at most",
            unit="MB",
            better="less",
            promises=(Promise(bound=200, of=None, who=END),),
        ),
    ),
    measure=measure,
    runs=1,
    long=True,
)
