"""A relay's limit, and what is usually written: `python -m tests.bench.rivals.relay WHAT TOPIC N`.

`ready` sends ready records in transactions of BATCH and does nothing else. `naive` selects a row,
sends it, waits, and marks it, one after the other. Both take what lies in the outbox, and print
JSON; the first tenth is not counted.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer

from schema.kafka.changes import SOURCE, name_schema
from schema.kafka.headers import ChangeHeaders, write_change_headers
from schema.kafka.partition import choose_partition
from schema.kafka.topics import USER_CHANGES
from schema.postgres.statements import read_statements
from workers.relay.publish import ask_again_soon

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Connection = asyncpg.Connection[asyncpg.Record]
    Transaction = Mapping[int, Sequence[Mapping[str, Any]]]

STATEMENTS: Final = read_statements(__file__)
BATCH: Final = 2_000


def make_transactions(rows: Sequence[asyncpg.Record]) -> Sequence[Transaction]:
    """Return the records of each transaction by their partition, with nothing left to be done."""
    made: list[Transaction] = []
    for start in range(0, len(rows), BATCH):
        places: defaultdict[int, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows[start : start + BATCH]:
            key = row["key"].encode()
            headers = ChangeHeaders(
                position=row["position"],
                change_type=row["type"],
                source=SOURCE,
                subject=row["key"],
                schema=name_schema(USER_CHANGES.name),
            )
            places[choose_partition(key, USER_CHANGES.partitions)].append(
                {
                    "timestamp": None,
                    "key": key,
                    "value": row["state"].encode(),
                    "headers": write_change_headers(headers),
                }
            )
        made.append(places)
    return made


async def send_ready(connection: Connection, topic: str, count: int) -> float:
    """Return how many ready records a second Kafka takes in transactions."""
    rows = await connection.fetch(STATEMENTS["read_ready"], count)
    transactions = make_transactions(rows)
    ask_again_soon()  # or aiokafka's pauses between transactions would be the limit
    async with AIOKafkaProducer(
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
        transactional_id=topic,
        acks="all",
        max_batch_size=512 * 1024,
    ) as producer:
        warm = max(1, len(transactions) // 10)
        began = 0.0
        for number, transaction in enumerate(transactions):
            if number == warm:
                began = time.perf_counter()
            async with producer.transaction():
                await _send(producer, topic, transaction)
        return (len(rows) - warm * BATCH) / (time.perf_counter() - began)


async def _send(producer: AIOKafkaProducer, topic: str, transaction: Transaction) -> None:
    deliveries = []
    for partition, records in transaction.items():
        batch = producer.create_batch()
        for record in records:
            if not batch.append(**record):
                deliveries.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**record)
        deliveries.append(await producer.send_batch(batch, topic, partition=partition))
    await asyncio.gather(*deliveries)


async def send_one_by_one(connection: Connection, topic: str, count: int) -> float:
    """Return how many rows a second are selected, sent and marked."""
    await connection.execute(STATEMENTS["naive_outbox"])
    await connection.execute(STATEMENTS["fill"], count)
    async with AIOKafkaProducer(
        bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"], acks="all"
    ) as producer:
        warm, sent, began = count // 10, 0, 0.0
        while row := await connection.fetchrow(STATEMENTS["read_one"]):
            await producer.send_and_wait(topic, row["state"].encode(), key=row["key"].encode())
            await connection.execute(STATEMENTS["mark_one"], row["id"])
            sent += 1
            if sent == warm:
                began = time.perf_counter()
        return (sent - warm) / (time.perf_counter() - began)


async def main() -> None:
    """Send, and print the rate."""
    what, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    send = {"ready": send_ready, "naive": send_one_by_one}[what]
    connection = await asyncpg.connect(os.environ["DATABASE_URL"])
    print(json.dumps({"rate": await send(connection, topic, count)}))
    await connection.close()


if __name__ == "__main__":
    uvloop.run(main())
