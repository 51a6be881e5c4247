"""Whether a backlog drains as fast at its end as at its beginning, with as little memory."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from tests.bench.figure import Curve, Experiment, Figure, Promise
from tests.bench.growth_backlog import compare_tenths, drain
from tests.bench.growth_stage import over

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.bench import Bench

BEGINNING: Final = "first tenth"
END: Final = "last tenth"
POINTS: Final = 200
"""Of a curve, at most."""


async def measure(bench: Bench) -> Mapping[str, Mapping[str, float]]:
    """Let a worker apply what waits."""
    events, users = bench.choose((1_000_000, 1_000_000), (20_000, 1_000))
    async with over(bench, users) as stage:
        looks = await drain(await stage.publish(events, seed=events))
    drawn = looks[1 :: len(looks) // POINTS + 1]
    bench.curves.extend(
        [
            Curve(
                figure="rate_over_time",
                series="worker",
                x="seconds",
                y="events a second",
                points=[
                    (b.seconds, (b.applied - a.applied) / (b.seconds - a.seconds))
                    for a, b in pairwise(drawn)
                ],
            ),
            Curve(
                figure="memory_over_time",
                series="worker",
                x="seconds",
                y="MB",
                points=[(each.seconds, each.memory_mb) for each in drawn],
            ),
        ]
    )
    found = compare_tenths(looks)
    return {
        BEGINNING: {"rate": found["first_per_s"], "memory": found["first_mb"]},
        END: {"rate": found["last_per_s"], "memory": found["last_mb"]},
    }


EXPERIMENT: Final = Experiment(
    name="backlog",
    says="A million events of a million users wait in Kafka; one worker applies them.",
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
