"""What is usually written to apply events: `python -m tests.bench.rivals.worker TOPIC EVENTS`.

A FastStream consumer that takes one event after the other, a transaction for each. Prints JSON
when it has had all; the first tenth is not counted.
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
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from schema.postgres.statements import read_statements

STATEMENTS: Final = read_statements(__file__)


async def main() -> None:
    """Consume, and print the rate."""
    topic, events = sys.argv[1], int(sys.argv[2])
    broker = KafkaBroker(os.environ["KAFKA_BOOTSTRAP_SERVERS"])
    pool = await asyncpg.create_pool(os.environ["DATABASE_URL"])
    ended = asyncio.Event()
    times: list[float] = []

    async def apply(event: dict[str, Any]) -> None:
        data = event["data"]
        await pool.execute(
            STATEMENTS["upsert"],
            data["id"],
            data["email_addresses"][0]["email_address"],
            data["first_name"],
            data["last_name"],
            json.dumps(data["public_metadata"]),
        )
        times.append(time.perf_counter())
        if len(times) == events:
            ended.set()

    broker.subscriber(
        topic, group_id=topic, auto_offset_reset="earliest", ack_policy=AckPolicy.ACK
    )(apply)
    async with broker, pool:
        await pool.execute(STATEMENTS["naive_table"])
        await broker.start()
        await ended.wait()
    warm = events // 10
    print(json.dumps({"rate": (events - warm) / (times[-1] - times[warm - 1])}))


if __name__ == "__main__":
    uvloop.run(main())
