"""Events at a steady rate, and how far they are applied while workers come and go."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiokafka import AIOKafkaProducer

from tests.bench.events import publish_events

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tests.bench.stage import Stage

TICK_S: Final = 0.05
"""So often events are published; each partition has some of every few ticks."""
EVERY_S: Final = 0.02
"""So often is looked at what is applied."""


@dataclass(frozen=True, kw_only=True)
class Glance:
    """What was published and applied at a moment."""

    at: float
    """Seconds of a clock that only goes forward."""
    published: int
    applied: Mapping[int, int]
    """Partition -> the next offset that is to be applied."""


@dataclass(kw_only=True)
class Steady:
    """Events that keep coming, and glances at them."""

    stage: Stage
    rate: float
    """Events a second."""
    begins: Mapping[int, int]
    """Where the first of them are, for each partition."""
    published: int = 0
    glances: list[Glance] = field(default_factory=list)

    async def publish(self) -> None:
        """Publish for as long as this is let."""
        servers = self.stage.bench.stack.bootstrap_servers
        async with AIOKafkaProducer(
            bootstrap_servers=servers, max_batch_size=1 << 20, linger_ms=0
        ) as producer:
            begun = time.perf_counter()
            while True:
                due = round((time.perf_counter() - begun) * self.rate) - self.published
                users, seed = self.stage.users, self.published
                await publish_events(producer, due, users=users, seed=seed)
                self.published += due
                await asyncio.sleep(TICK_S)

    async def look(self) -> None:
        """Note what is applied for as long as this is let."""
        while True:
            applied = await self.stage.find_applied()
            at = time.perf_counter()
            self.glances.append(Glance(at=at, published=self.published, applied=applied))
            await asyncio.sleep(EVERY_S)

    def lag_s(self, glance: Glance) -> float:
        """Return how many seconds of events were not applied at that moment."""
        applied = sum(max(0, glance.applied.get(n, at) - at) for n, at in self.begins.items())
        return max(0.0, (glance.published - applied) / self.rate)

    async def latest_lag_s(self) -> float:
        """Return how many seconds of events are not applied now."""
        return self.lag_s(self.glances[-1])

    def since(self, at: float) -> Sequence[Glance]:
        """Return the glances from then on."""
        return [glance for glance in self.glances if glance.at >= at]


@contextlib.asynccontextmanager
async def steadily(stage: Stage, rate: float) -> AsyncIterator[Steady]:
    """Have events come at that rate, and look at them."""
    steady = Steady(stage=stage, rate=rate, begins=await stage.find_ends())
    tasks = [asyncio.create_task(each) for each in (steady.publish(), steady.look())]
    try:
        yield steady
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


def longest_pause_s(glances: Sequence[Glance]) -> float:
    """Return the longest time for which one of the partitions got no further, in seconds."""
    return max((_pause_of(partition, glances) for partition in glances[-1].applied), default=0.0)


def _pause_of(partition: int, glances: Sequence[Glance]) -> float:
    longest, moved = 0.0, glances[0]
    for glance in glances[1:]:
        longest = max(longest, glance.at - moved.at)
        if glance.applied.get(partition) != moved.applied.get(partition):
            moved = glance
    return longest
