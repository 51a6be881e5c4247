"""A Clerk whose world changes, webhooks with fates of their own, workers, and tables."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import asyncpg

from tests.integration.deploy.truth.happenings import happen
from tests.integration.workers.order.crashes import CrashError, CrashingPool
from workers.apply import Policy, apply
from workers.classify import NotNowError

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from deploy.standin.told import Told
    from deploy.standin.world import World
    from tests.integration.deploy.truth.belt import Belt
    from workers.decode import Event

    Pool = asyncpg.Pool[asyncpg.Record]

FATES: Final = {"now": 8, "twice": 3, "late": 5, "lost": 4}
"""What becomes of a webhook -> how often."""


class Clerkwork:
    """All of it but Kafka, for which the belt stands."""

    def __init__(self, world: World, belt: Belt, pool: Pool, policy: Policy) -> None:
        self.world, self.belt, self.pool, self.policy = world, belt, pool, policy
        self.late: list[Told] = []
        """Webhooks that Clerk has not managed to deliver yet, or will again."""
        self.lost: list[Told] = []
        """Webhooks that it never delivers."""

    def happen(self, chance: random.Random, *, most: int) -> None:
        """Change the world some times; each of its webhooks meets its fate."""
        self.world.advance(chance.choice([0, 0, 0, 3, 1500]))
        for _ in range(chance.randint(1, most)):
            for told in happen(self.world, chance):
                self.send(chance, told)

    def send(self, chance: random.Random, told: Told) -> None:
        """Deliver a webhook now, later, now and later, or never."""
        [fate] = chance.choices(list(FATES), weights=list(FATES.values()))
        if fate in ("now", "twice"):
            self.belt.deliver(told)
        if fate in ("late", "twice"):
            self.late.append(told)
        if fate == "lost":
            self.lost.append(told)

    def arrive(self, chance: random.Random, most: int) -> None:
        """Deliver some of those that are late, in any order."""
        chance.shuffle(self.late)
        for told in self.late[:most]:
            self.belt.deliver(told)
        del self.late[:most]

    async def work(self, chance: random.Random, most: int) -> None:
        """Apply a batch, or two side by side."""
        batches = [self.belt.take(chance, most) for _ in range(chance.choice([1, 1, 2]))]
        await asyncio.gather(*(self._apply(batch) for batch in batches))

    async def work_off(self, chance: random.Random) -> None:
        """Apply everything that has been published."""
        while self.belt.waiting:
            await self.work(chance, chance.choice([1, 5, 40]))

    async def work_and_die(self, chance: random.Random, most: int, *, step: int) -> None:
        """Apply a batch, but for a worker that dies at a step of it; another does it again."""
        batch = self.belt.take(chance, most)
        pool = CrashingPool(self.pool, step=step)
        try:
            await apply(pool.as_pool(), batch, policy=self.policy)
        except (CrashError, NotNowError, asyncpg.InterfaceError):
            assert pool.left <= 0
        await self.pool.expire_connections()
        await self._apply(batch)

    async def _apply(self, batch: Sequence[Event]) -> None:
        if batch:
            await apply(self.pool, batch, policy=self.policy)
