"""Any set of events, in any order, ends in the tables that an independent model expects.

And what others were told of it, folded, is what is in the tables.

`ORDER_CASES` histories are tried from the seed `ORDER_SEED` on, which share batches by the sixty:
a failure in the case `<seed>x<copy>` comes again with ORDER_CASES=60 and its sixty's first seed.
"""

from __future__ import annotations

import itertools
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.workers.order.deliveries import deliver, schedule
from tests.integration.workers.order.histories import as_event, make_history, seeded
from tests.integration.workers.order.model import expected_tables
from tests.integration.workers.order.retold import wrongly_retold
from tests.integration.workers.order.shapes import KEYS, Tables
from tests.integration.workers.order.tables import about, describe, differences, found_tables
from tests.integration.workers.order.told import wrongly_told
from tests.waiting import until
from workers.apply import Policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import asyncpg

    from tests.integration.workers.order.facts import Told

    Pool = asyncpg.Pool[asyncpg.Record]
    Tell = Callable[[str], None]
    Cases = Mapping[str, list[Told]]

SEED: Final = int(os.environ.get("ORDER_SEED", "0"))
CASES: Final = int(os.environ.get("ORDER_CASES", "3000"))
SHORT_CASES: Final = max(1, CASES // 30)
"""How many histories are tried in every permutation."""

ROUNDS: Final = max(1, CASES // 30)
"""How many times workers meet on rows that are new to all of them."""

SCHEDULES: Final = 3
"""How often each history is delivered, each time to people of its own."""

ABREAST: Final = 60
SHORT_ABREAST: Final = 20
"""How many histories share their batches."""

POLICIES: Final = (
    Policy(),
    Policy(erase_after=timedelta(days=30), history_limit=3),
    Policy(history_limit=2),
)

pytestmark = pytest.mark.timeout(300 + CASES // 10)  # an operator may ask for more


async def test_every_schedule_ends_as_the_model(quick_pool: Pool, tell: Tell) -> None:
    """Interleaved, shuffled, repeated, split, given to two workers: all is as the model has it."""
    for number, seeds in _groups(CASES, ABREAST):
        chance, policy = seeded(number), POLICIES[number % len(POLICIES)]
        cases = {
            f"{seed}x{copy}": make_history(
                seeded(seed), f"{seed}x{copy}", length=2 + seed % 12, commands=seed % 3 / 2
            )
            for seed in seeds
            for copy in range(SCHEDULES)
        }
        events = [as_event(told) for history in cases.values() for told in history]
        batches = schedule(chance, events, largest=chance.choice([40, 120, 400]))
        await deliver(quick_pool, batches, policy=policy, workers=2)
        await _compare(quick_pool, cases, policy)

    tell(f"{CASES} histories, {SCHEDULES} schedules of each")


async def test_every_permutation_ends_as_the_model(quick_pool: Pool, tell: Tell) -> None:
    """Short histories, in each of their orders, event by event."""
    tried = 0
    for number, seeds in _groups(SHORT_CASES, SHORT_ABREAST):
        policy = POLICIES[number % len(POLICIES)]
        cases = {
            f"{seed}x{copy}": [made[n] for n in order]
            for seed in seeds
            for copy, order in enumerate(itertools.permutations(range(2 + seed % 3)))
            for made in [
                make_history(
                    seeded(seed), f"{seed}x{copy}", length=len(order), commands=seed % 3 / 2
                )
            ]
        }
        alone = [list(step) for step in itertools.zip_longest(*cases.values())]
        steps = [[as_event(told) for told in step if told] for step in alone]
        await deliver(quick_pool, steps, policy=policy)
        await _compare(quick_pool, cases, policy)
        tried += len(cases)

    tell(f"{tried} permutations of {SHORT_CASES} histories")


async def test_workers_on_the_same_rows_never_deadlock(
    quick_pool: Pool, database: asyncpg.Connection[asyncpg.Record], tell: Tell
) -> None:
    """Workers with the same events, each in an order of its own, all come to an end."""
    for seed in range(SEED, SEED + ROUNDS):
        chance = seeded(seed)
        workers = chance.choice([2, 2, 3, 4, 10])
        cases = {
            f"{seed}x{n}": make_history(chance, f"{seed}x{n}", length=3, commands=0.4)
            for n in range(chance.choice([5, 20, 40]))
        }
        events = [as_event(told) for history in cases.values() for told in history]
        at_once = [chance.sample(events, len(events)) for _ in range(workers)]
        after = schedule(chance, events, largest=len(events))
        await deliver(quick_pool, [*at_once, *after], policy=POLICIES[0], workers=workers)
        await _compare(quick_pool, cases, POLICIES[0])

    tell(f"{ROUNDS} rounds of workers on the same rows")
    assert await _deadlocks(quick_pool, database) == 0


def _groups(count: int, abreast: int) -> Iterator[tuple[int, list[int]]]:
    """Return the seeds by groups, whose bounds do not depend on where one begins."""
    for number, seeds in itertools.groupby(range(SEED, SEED + count), lambda seed: seed // abreast):
        yield number, list(seeds)


async def _deadlocks(pool: Pool, database: asyncpg.Connection[asyncpg.Record]) -> int:
    """Return how many there were, once every connection has told: it does so when it ends."""
    await pool.close()

    async def connected() -> int:
        return await database.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )

    await until(connected, lambda count: count == 0)
    count: int = await database.fetchval(
        "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    return count


async def _compare(pool: Pool, cases: Cases, policy: Policy) -> None:
    """Fail with the first case that ended otherwise; else leave the tables empty."""
    expected: Tables = {table: {} for table in KEYS}
    for history in cases.values():
        for table, rows in _expect(history, policy).items():
            expected[table] |= rows
    found = await found_tables(pool)
    if found != expected:
        pytest.fail(_first_difference(cases, policy, found))
    told = await wrongly_told(pool) + await wrongly_retold(pool)
    assert not told, told[:8]
    await pool.execute("TRUNCATE users, organizations, events, outbox CASCADE")


def _expect(history: Sequence[Told], policy: Policy) -> Tables:
    held = bool(policy.erase_after)
    return expected_tables(history, held=held, history_limit=policy.history_limit)


def _first_difference(cases: Cases, policy: Policy, found: Tables) -> str:
    for case, history in cases.items():
        lines = differences(_expect(history, policy), about(found, history))
        if lines:
            return describe(f"case {case} with {policy}", history, lines)
    return "rows that belong to no case"
