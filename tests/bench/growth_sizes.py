"""How large a user and an event are: `.venv/bin/python -m tests.bench.growth_sizes --data DIR`.

Tables and indexes of the filled database, after whatever was measured there: what is dead and not
yet vacuumed counts. Then for how long the outbox is locked by who tells a batch of changes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from schema.postgres.ids import derive_id
from schema.postgres.statements import read_statements
from tests.bench.growth_fill import clerk_id
from tests.bench.growth_stage import staged
from workers.tell import Changes, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.bench.growth_stage import Stage

BATCH: Final = 500
ROUNDS: Final = 40
PER_EVENT: Final = ("events", "outbox")
"""Tables whose rows are events; those of the others are users, or belong to them."""
_SQL: Final = read_statements(__file__)


async def measure_sizes(stage: Stage) -> list[dict[str, Any]]:
    """Return the bytes of each table and index, for each of its rows and for each user."""
    counted = await stage.database.fetch(_SQL["count_rows"])
    rows: Mapping[str, int] = {row["table_name"]: row["number"] for row in counted}
    return [
        {
            "table": row["table_name"],
            "name": row["name"],
            "index": row["is_index"],
            "bytes": int(row["bytes"]),
            "rows": rows[row["table_name"]],
            "per_row": int(row["bytes"]) / max(1, rows[row["table_name"]]),
            "per_user": int(row["bytes"]) / rows["users"],
        }
        for row in await stage.database.fetch(_SQL["list_relations"])
    ]


async def measure_lock(stage: Stage) -> dict[str, float]:
    """Return for how long telling a batch keeps others from telling, commit included."""
    chance = random.Random(1)  # noqa: S311  # nobody has to guess it
    held = []
    async with asyncpg.create_pool(stage.stack.database_url, min_size=1, max_size=1) as pool:
        for _ in range(ROUNDS):
            people = {clerk_id("user", chance.randrange(stage.users)) for _ in range(BATCH)}
            changes = Changes(others=frozenset(map(derive_id, people)))
            async with pool.acquire() as connection:
                # What the workers have done by then: they have locked the rows.
                transaction = connection.transaction()
                await transaction.start()
                ids = sorted(changes.others)
                await connection.execute(_SQL["lock_users"], ids)
                begun = time.perf_counter()
                await tell(connection, changes)
                await transaction.commit()
                held.append((time.perf_counter() - begun) / len(ids))
    held_us = statistics.median(held[5:]) * 1e6
    return {"changes_together": BATCH, "held_us_per_change": held_us}


async def measure(data: Path, users: int) -> dict[str, Any]:
    """Measure both."""
    async with staged(data / str(users), users, tuned=True) as stage:
        await stage.database.execute("VACUUM ANALYZE")
        sizes = await measure_sizes(stage)
        return {"users": users, "sizes": sizes, "lock": await measure_lock(stage)}


def main() -> None:
    """Measure, print and note."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.sched_setaffinity(0, {1})
    found = asyncio.run(measure(options.data, options.users))
    for each in found["sizes"]:
        per = "row" if each["table"] in PER_EVENT else "user"
        print(
            f"{each['name']:48} {each['bytes'] / 1e6:9,.1f} MB {each['per_' + per]:8.1f} B a {per}"
        )
    print(found["lock"])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
