"""A Clerk whose world changes, its webhooks, workers, and tables."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from tests.integration.deploy.truth.post import Post
from tests.integration.workers.order.crashes import CrashError, CrashingPool
from workers.apply import apply
from workers.classify import NotNowError

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from deploy.standin.world import World
    from tests.integration.deploy.truth.belt import Belt
    from workers.apply import Policy
    from workers.decode import Event

    Pool = asyncpg.Pool[asyncpg.Record]


class Clerkwork(Post):
    """All of it but Kafka, for which the belt stands."""

    def __init__(self, world: World, belt: Belt, pool: Pool, policy: Policy) -> None:
        super().__init__(world, belt.deliver)
        self.belt, self.pool, self.policy = belt, pool, policy

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
        if not batch:
            return
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
