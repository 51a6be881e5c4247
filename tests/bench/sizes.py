"""How large a user, an event and a change are, and for how long telling keeps others from it."""

from __future__ import annotations

import random
import statistics
import time
from typing import TYPE_CHECKING, Final

import asyncpg

from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from tests.bench.fill import clerk_id
from workers.tell import Changes, tell

if TYPE_CHECKING:
    from tests.bench.stage import Stage

BATCH: Final = 500
ROUNDS: Final = 40
_SQL: Final = read_statements(__file__)


async def measure_sizes(stage: Stage) -> dict[str, float]:
    """Return the bytes of each with all that belongs to it, and those of its indexes."""
    rows = await stage.database.fetch(_SQL["measure_sizes"])
    sizes = {row["kind"]: row["bytes"] for row in rows}
    return sizes | {f"{row['kind']}_indexes": row["indexes"] for row in rows}


async def measure_lock(stage: Stage) -> float:
    """Return for how long telling a batch keeps others from telling, commit included.

    In microseconds for each change.
    """
    chance = random.Random(1)  # noqa: S311  # nobody has to guess it
    held = []
    async with asyncpg.create_pool(stage.url, min_size=1, max_size=1) as pool:
        for _ in range(ROUNDS):
            people = {clerk_id("user", chance.randrange(stage.users)) for _ in range(BATCH)}
            ids = sorted(map(derive_id, people))
            async with pool.acquire() as connection, connection.transaction():
                # What the workers have done by then: they have locked the rows.
                await connection.execute(_SQL["lock_users"], ids)
                begun = time.perf_counter()
                await tell(connection, Changes(others=frozenset(ids)))
            held.append((time.perf_counter() - begun) / len(ids))
    return statistics.median(held[5:]) * 1e6
