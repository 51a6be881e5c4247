"""The limit of a worker: `python -m tests.bench.rivals.upsert ready|tables ROWS USERS`.

Ready rows in batches of BATCH, from two connections, each with its own users, so that PostgreSQL
never waits. Prints JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any, Final

import asyncpg
import uvloop

from schema.postgres.statements import read_statements
from tests.bench.bench import execute

STATEMENTS: Final = read_statements(__file__)
BATCH: Final = 500
CONNECTIONS: Final = 2


def make_batch(users: int, start: int, whose: int) -> list[list[Any]]:
    """Return the columns of ready rows; a batch has a user once."""
    numbers = range(start, start + BATCH)
    metadata = json.dumps({"plan": "pro", "locale": "en"})
    return [
        [f"user_{whose}_{number % users:08}" for number in numbers],
        [f"ada{number}@example.com" for number in numbers],
        ["Ada"] * BATCH,
        ["Lovelace"] * BATCH,
        [metadata] * BATCH,
        [number * CONNECTIONS + whose for number in numbers],
    ]


async def write(statement: str, rows: int, users: int, whose: int) -> float:
    """Write rows from one connection, a tenth of them before the clock runs; return seconds."""
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    users = max(users // CONNECTIONS, BATCH)
    batches = [make_batch(users, start, whose) for start in range(0, rows // CONNECTIONS, BATCH)]
    warm = max(1, len(batches) // 10)
    for batch in batches[:warm]:
        await connection.execute(statement, *batch)
    began = time.perf_counter()
    for batch in batches[warm:]:
        await connection.execute(statement, *batch)
    seconds = time.perf_counter() - began
    await connection.close()
    return (len(batches) - warm) * BATCH / seconds


async def main() -> None:
    """Write, and print the rate."""
    what, rows, users = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    if what == "ready":
        await execute(os.environ["DATABASE_URL"], STATEMENTS["ready_table"])
    statement = STATEMENTS[f"upsert_{what}"]
    rates = await asyncio.gather(
        *(write(statement, rows, users, whose) for whose in range(CONNECTIONS))
    )
    print(json.dumps({"rate": sum(rates)}))


if __name__ == "__main__":
    uvloop.run(main())
