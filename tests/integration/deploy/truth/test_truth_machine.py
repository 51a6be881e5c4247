"""Whatever is lost, late, repeated or cut off: one look at Clerk, and the tables are true to it.

Hypothesis makes up what happens at Clerk, what becomes of its webhooks, and when somebody
backfills, reconciles, dies.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from deploy.standin.world import World
from tests.integration.deploy.truth.belt import Belt
from tests.integration.deploy.truth.clerkwork import Clerkwork
from tests.integration.deploy.truth.model import (
    changed,
    found,
    inactive,
    overlooked,
    untrue,
    wrongly_open,
)
from tests.integration.deploy.truth.sweeps import Sweeps, running_sweeps, turn_small_pages
from tests.integration.workers.order.histories import seeded
from tests.integration.workers.order.told import wrongly_told
from workers.apply import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    import asyncpg

    Pool = asyncpg.Pool[asyncpg.Record]
    Tell = Callable[[str], None]

EXAMPLES: Final = int(os.environ.get("TRUTH_EXAMPLES", "10"))
WAIT_S: Final = 60.0
SEEDS: Final = st.integers(0, 2**32)
DEATHS: Final = st.none() | st.integers(1, 12)
"""How many records a sweep publishes until it is killed."""

SETTINGS: Final = settings(
    max_examples=EXAMPLES,
    stateful_step_count=24,
    derandomize="TRUTH_RANDOM" not in os.environ,  # unless asked, the same lives in every run
    deadline=None,  # a database takes the time it takes
    database=None,  # derandomized: nothing to remember
    suppress_health_check=[
        HealthCheck.too_slow,  # a database takes the time it takes
    ],
    # To look for the shortest life that fails takes minutes: TRUTH_SHRINK=1 asks for it.
    phases=list(Phase) if os.environ.get("TRUTH_SHRINK") else [Phase.generate],
)


class Life(RuleBasedStateMachine):
    """A Clerk, its webhooks, workers, and an operator who looks."""

    pool: ClassVar[Pool]
    url: ClassVar[str]
    loop: ClassVar[asyncio.AbstractEventLoop]
    policy: ClassVar[Policy]
    done: ClassVar[Counter[str]] = Counter()

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        """There are people at Clerk, of whom nobody here has heard; the tables are empty."""
        self.done["lives"] += 1
        chance = seeded(seed)
        world = World(seed, now_ms=time.time_ns() // 1_000_000)
        world.populate(chance.choice([0, 5, 14]), organizations=chance.choice([0, 2]), members=2)
        self.scene = Clerkwork(world, Belt(), self.pool, self.policy)
        self.stack = AsyncExitStack()
        self.run(self.pool.execute(_EMPTY))
        self.sweeps: Sweeps = self.run(
            self.stack.enter_async_context(running_sweeps(self.scene, database_url=self.url))
        )

    @rule(seed=SEEDS)
    def happen(self, seed: int) -> None:
        """Something happens at Clerk; what it sends arrives now, later, twice or never."""
        self.run(self.happening(seed))

    @rule(seed=SEEDS)
    def work(self, seed: int) -> None:
        """Workers apply some of what has been published."""
        chance = seeded(seed)
        self.run(self.scene.work(chance, chance.choice([1, 3, 20])))

    @rule(seed=SEEDS, step=st.integers(1, 16))
    def die(self, seed: int, step: int) -> None:
        """A worker dies in the middle of a batch."""
        self.done["dead workers"] += 1
        self.run(self.scene.work_and_die(seeded(seed), 10, step=step))

    @rule(seed=SEEDS)
    def arrive(self, seed: int) -> None:
        """Some late webhooks come."""
        self.run(self.arriving(seed))

    @rule(seed=SEEDS, dies_in=DEATHS)
    def backfill(self, seed: int, dies_in: int | None) -> None:
        """A backfill, while things go on happening; it may be killed, and goes on another time."""
        ended = self.run(self.sweeps.backfill(seeded(seed), dies_in=dies_in))
        self.done[f"backfills {ended}"] += 1

    @rule(seed=SEEDS, dies_in=DEATHS, incremental=st.booleans(), repair=st.booleans())
    def reconcile(self, seed: int, dies_in: int | None, *, incremental: bool, repair: bool) -> None:
        """Clerk and the tables are compared, while things go on happening."""
        ended = self.run(
            self.sweeps.reconcile(
                seeded(seed), dies_in=dies_in, incremental=incremental, repair=repair
            )
        )
        self.done[f"reconciliations {ended}"] += 1

    def teardown(self) -> None:
        """In the end all is quiet, and somebody looks at Clerk once more."""
        if hasattr(self, "sweeps"):
            try:
                self.run(self.end())
            finally:
                self.run(self.stack.aclose())

    async def end(self) -> None:
        """Fail unless the tables are true after the last look, and stay so whatever comes late."""
        chance = seeded(self.scene.world.version)
        await self.scene.work_off(chance)
        if chance.random() < 0.5:  # what was late comes before; else after
            self.scene.arrive(chance)
        first = chance.choice(["a backfill anew", "one that goes on", "an incremental look"])
        if first == "an incremental look":  # finds whoever has changed, and nobody who is gone
            await self.sweeps.reconcile(chance, quiet=True, repair=True, incremental=True)
            assert not await overlooked(self.pool, self.scene.world)
        else:
            await self.sweeps.backfill(chance, quiet=True, restart=first == "a backfill anew")
        await self.sweeps.reconcile(chance, quiet=True, repair=True)
        await self.hold("after the last look")
        assert not await wrongly_open(self.pool, self.scene.world)
        if first == "a backfill anew":
            assert not await inactive(self.pool, self.scene.world)
        assert await self.sweeps.drift(chance) == []
        before = await found(self.pool)
        self.scene.find_the_lost()
        self.scene.arrive(chance)
        await self.scene.work_off(chance)
        assert not changed(before, await found(self.pool))
        await self.hold("after what came late")

    async def hold(self, when: str) -> None:
        """Fail unless tables and outbox are as Clerk has it."""
        held = bool(self.policy.erase_after)
        lines = await untrue(self.pool, self.scene.world, held=held)
        lines += await wrongly_told(self.pool)
        lines += [f"dead: {dict(row)}" for row in await self.pool.fetch(_DEAD)]
        assert not lines, "\n".join([when, *lines[:12]])

    async def happening(self, seed: int) -> None:
        """Have things happen, in the loop."""
        self.scene.happen(seeded(seed), most=5)

    async def arriving(self, seed: int) -> None:
        """Have late webhooks delivered, in the loop."""
        self.scene.arrive(seeded(seed), 4)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do `work` in the loop that the pool belongs to, wait for it, and return what it does."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)


class Erasing(Life):
    """A deletion erases at once."""

    policy: ClassVar = Policy()
    done: ClassVar = Counter()


class Holding(Life):
    """A deletion is held back."""

    policy: ClassVar = Policy(erase_after=timedelta(days=30))
    done: ClassVar = Counter()


_EMPTY: Final = "TRUNCATE users, organizations, events, outbox, sweeps CASCADE"
_DEAD: Final = "SELECT event_id, type, reason FROM events WHERE outcome NOT IN ('applied', 'stale')"


@pytest.mark.parametrize("life", [Erasing, Holding])
async def test_every_life_ends_true_to_clerk(
    quick_pool: Pool,
    database_url: str,
    life: type[Life],
    tell: Tell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Webhooks, backfills and reconciliations in any order end in the tables that Clerk has."""
    turn_small_pages(monkeypatch)
    life.pool, life.url, life.loop = quick_pool, database_url, asyncio.get_running_loop()
    await asyncio.to_thread(run_state_machine_as_test, life, settings=SETTINGS)

    tell(f"{life.__name__}: {dict(life.done)}")
    assert life.done["lives"] >= EXAMPLES
