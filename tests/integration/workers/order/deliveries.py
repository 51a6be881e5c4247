"""Deliver events the way Kafka may: in any order, again, in any batches, to two workers at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from workers.apply import apply

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    import asyncpg

    from workers.apply import Policy
    from workers.decode import Event

REPEATED: Final = 0.25
"""How much of everything is delivered again."""


def schedule(chance: random.Random, events: Sequence[Event], *, largest: int) -> list[list[Event]]:
    """Return all events in some order, some of them more than once, in batches of any size."""
    again = chance.sample(list(events), int(len(events) * REPEATED))
    order = chance.sample([*events, *again], len(events) + len(again))
    return list(_split(chance, order, largest))


def _split(chance: random.Random, order: list[Event], largest: int) -> Iterator[list[Event]]:
    start = 0
    while start < len(order):
        size = chance.randint(1, largest)
        yield order[start : start + size]
        start += size


async def deliver(
    pool: asyncpg.Pool[asyncpg.Record],
    batches: Sequence[Sequence[Event]],
    *,
    policy: Policy,
    workers: int = 1,
) -> None:
    """Apply every batch, by so many workers side by side, each taking the next one."""
    waiting = iter(batches)

    async def work() -> None:
        for batch in waiting:
            await apply(pool, batch, policy=policy)

    await asyncio.gather(*(work() for _ in range(workers)))
