"""A worker's life, made up by Hypothesis: batches in any order, two at once, killed at any step.

After each step the tables hold what the model expects of all that was committed.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Final

import asyncpg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from deploy.restore import restore
from tests.integration.workers.order.crashes import CrashError, CrashingPool
from tests.integration.workers.order.histories import (
    LATER_MS,
    as_event,
    make_command,
    make_event,
    make_leaving,
    seeded,
)
from tests.integration.workers.order.model import DELETIONS, expected_tables
from tests.integration.workers.order.retold import wrongly_retold
from tests.integration.workers.order.tables import describe, differences, found_tables
from tests.integration.workers.order.told import wrongly_told
from tests.integration.workers.order.worlds import make_world
from workers.apply import Policy, apply
from workers.classify import NotNowError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tests.integration.workers.order.facts import Told
    from workers.decode import Event

    Pool = asyncpg.Pool[asyncpg.Record]
    Tell = Callable[[str], None]

EXAMPLES: Final = int(os.environ.get("ORDER_EXAMPLES", "40"))
NOW_MS: Final = LATER_MS - 1
"""All that happens is long past for whoever restores, or still to come."""

WAIT_S: Final = 60.0
SEEDS: Final = st.integers(0, 2**32)
PICKS: Final = st.lists(st.integers(0, 2**16), min_size=1, max_size=30)
"""Which events make a batch: numbers, modulo how many there are."""

SETTINGS: Final = settings(
    max_examples=EXAMPLES,
    stateful_step_count=25,
    derandomize="ORDER_RANDOM" not in os.environ,  # unless asked, the same lives in every run
    deadline=None,  # a database takes the time it takes
    database=None,  # derandomized: nothing to remember
    suppress_health_check=[
        HealthCheck.too_slow,  # a database takes the time it takes
    ],
    # To look for the shortest life that fails takes minutes: ORDER_SHRINK=1 asks for it.
    phases=list(Phase) if os.environ.get("ORDER_SHRINK") else [Phase.generate],
)


class Life(RuleBasedStateMachine):
    """Events, a database, and a worker that Kafka gives them to."""

    pool: ClassVar[Pool]
    url: ClassVar[str]
    loop: ClassVar[asyncio.AbstractEventLoop]
    policy: ClassVar[Policy]
    done: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Told] = []
        self.events: list[Event] = []
        self.committed: set[int] = set()
        self.again: list[int] = []
        self.restored: dict[str, int] = {}

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        """There are people, and no tables filled."""
        self.done["lives"] += 1
        self.world = make_world(seeded(seed), "life")
        self.run(self.pool.execute("TRUNCATE users, organizations, events, outbox CASCADE"))

    @rule(seed=SEEDS)
    def happen(self, seed: int) -> None:
        """Something happens at Clerk; nobody here knows yet."""
        self.told.append(make_event(seeded(seed), self.world, len(self.told)))
        self.events.append(as_event(self.told[-1]))

    @rule(seed=SEEDS)
    def ask(self, seed: int) -> None:
        """Somebody asks for something; nobody here knows yet."""
        self.told.append(make_command(seeded(seed), self.world, len(self.told)))
        self.events.append(as_event(self.told[-1]))

    @rule(seed=SEEDS)
    def leave(self, seed: int) -> None:
        """Somebody leaves, and that is known at once."""
        self.told.append(make_leaving(seeded(seed), self.world, len(self.told)))
        self.events.append(as_event(self.told[-1]))
        batch = [len(self.told) - 1]
        self.run(self.apply(batch))
        self.hold("departures", batch)

    @precondition(lambda self: self.told)
    @rule(picks=PICKS)
    def deliver(self, picks: list[int]) -> None:
        """A batch is applied: any events, known ones among them, in any order."""
        batch = self.picked(picks)
        self.run(self.apply(batch))
        self.hold("deliveries", batch)

    @precondition(lambda self: self.told)
    @rule(first=PICKS, second=PICKS)
    def deliver_at_once(self, first: list[int], second: list[int]) -> None:
        """A zombie and its successor apply a batch each, side by side."""
        batches = self.picked(first), self.picked(second)
        self.run(self.apply_at_once(*batches))
        self.hold("deliveries at once", [*batches[0], *batches[1]])

    @precondition(lambda self: self.told)
    @rule(picks=PICKS, step=st.integers(1, 16))
    def crash(self, picks: list[int], step: int) -> None:
        """The worker is killed at some step: all of the batch is there, or nothing."""
        batch = self.picked(picks)
        pool = CrashingPool(self.pool, step=step)
        self.run(self.apply_and_crash(pool, batch))
        self.again = batch  # its offsets were never committed
        where = "before the commit" if not pool.committed else "after the commit"
        self.hold(f"crashes {where}" if pool.left <= 0 else "deliveries", batch * pool.committed)

    @precondition(lambda self: self.again)
    @rule()
    def restart(self) -> None:
        """A new worker has no connections yet, and is given again what was not committed."""
        batch, self.again = self.again, []
        self.run(self.pool.expire_connections())
        self.run(self.apply(batch))
        self.hold("restarts", batch)

    def teardown(self) -> None:
        """In the end everything has been delivered."""
        rest = [n for n in range(len(self.events)) if n not in self.committed]
        if rest:
            self.run(self.apply(rest))
            self.hold("ends", rest)

    def picked(self, picks: list[int]) -> list[int]:
        """Return which events the numbers mean."""
        return [pick % len(self.events) for pick in picks]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do `work` in the loop that the pool belongs to, wait for it, and return what it does."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT_S)

    async def apply(self, batch: Sequence[int], pool: Pool | None = None) -> None:
        """Apply a batch as a worker does."""
        await apply(pool or self.pool, [self.events[n] for n in batch], policy=self.policy)

    async def apply_at_once(self, first: Sequence[int], second: Sequence[int]) -> None:
        """Apply two batches over two connections."""
        await asyncio.gather(self.apply(first), self.apply(second))

    async def apply_and_crash(self, pool: CrashingPool, batch: Sequence[int]) -> None:
        """Apply a batch unless it comes to the crash; what that raises is nobody's business."""
        try:
            await self.apply(batch, pool.as_pool())
        except (CrashError, NotNowError, asyncpg.InterfaceError):
            assert pool.left <= 0

    def hold(self, what: str, batch: Sequence[int]) -> None:
        """Compare the tables with what the model expects once `batch` is committed, too."""
        self.done[what] += 1
        self.committed.update(batch)
        history = [self.told[n] for n in sorted(self.committed)]
        self.run(self.compare(history))

    async def compare(self, history: list[Told]) -> None:
        """Fail unless the tables are as the model expects."""
        limit = self.policy.history_limit
        held = bool(self.policy.erase_after)
        expected = expected_tables(history, held=held, history_limit=limit, restored=self.restored)
        lines = differences(expected, await found_tables(self.pool))
        lines += await wrongly_told(self.pool, restored=self.restored)
        lines += await wrongly_retold(self.pool)
        assert not lines, describe(f"with {self.policy}", history, lines)


class Erasing(Life):
    """A deletion erases at once."""

    policy: ClassVar = Policy()
    done: ClassVar = Counter()


class Holding(Life):
    """A deletion is held back."""

    policy: ClassVar = Policy(erase_after=timedelta(days=30), history_limit=3)
    done: ClassVar = Counter()

    @precondition(lambda self: any(self.told[n].body["type"] in DELETIONS for n in self.committed))
    @rule()
    def restore(self) -> None:
        """An operator gives back who is deleted: for good, unless they are gone still later."""
        deleted = self.run(self.pool.fetchval(_DELETED))
        for user in deleted:
            self.run(restore(self.url, user))
        self.restored |= {user: self.last_end(user) for user in deleted}
        self.hold("restorations" if deleted else "restorations of nobody", [])

    def last_end(self, user: str) -> int:
        """Return until when a restoration now voids deletions: they are long past, or known."""
        told = [self.told[n] for n in self.committed]
        ends = [each for each in told if each.body["type"] in DELETIONS]
        return max(NOW_MS, *(each.at or 0 for each in ends if each.body["data"]["id"] == user))


_DELETED: Final = "SELECT coalesce(array_agg(clerk_id), '{}') FROM users WHERE status = 'deleted'"


@pytest.mark.parametrize("life", [Erasing, Holding])
async def test_every_life_of_a_worker_ends_as_the_model(
    quick_pool: Pool, database_url: str, life: type[Life], tell: Tell
) -> None:
    """Whatever is delivered, twice, at once or cut off, the tables hold what was committed."""
    life.pool, life.url, life.loop = quick_pool, database_url, asyncio.get_running_loop()
    await asyncio.to_thread(run_state_machine_as_test, life, settings=SETTINGS)

    tell(f"{life.__name__}: {dict(life.done)}")
    assert life.done["lives"] >= EXAMPLES
