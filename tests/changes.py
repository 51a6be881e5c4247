"""Changes: put into the outbox as workers do, and read from the topics as other services do."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from schema.kafka.headers import read_headers
from schema.kafka.topics import CHANGES, POST_CHANGES, USER_CHANGES
from tests.factories import new_user_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import asyncpg
    from aiokafka import ConsumerRecord

    Database = asyncpg.Connection[asyncpg.Record]

KINDS: Final = {USER_CHANGES.name: "user", POST_CHANGES.name: "post"}

_PUT = """
    WITH start AS (
        SELECT greatest(
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
            (SELECT max(position) FROM outbox) + 1,
            (SELECT position FROM relay_progress WHERE name = 'outbox') + 1
        ) AS position
    )
    INSERT INTO outbox (position, topic, key, type, owner, state)
    SELECT start.position + n, $1, key, type, key,
        CASE WHEN type LIKE '%.deleted' THEN NULL
        ELSE json_build_object('sequence', start.position + n, 'name', $4::text) END
    FROM start, unnest($2::text[], $3::text[]) WITH ORDINALITY AS incoming (key, type, n)
    RETURNING position
"""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A record on a change topic."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    headers: Mapping[str, str]

    @property
    def position(self) -> int:
        """Its place among all changes."""
        return int(self.headers["ce_sequence"])

    @property
    def state(self) -> Any:
        """What the value says; None for a tombstone."""
        return None if self.value is None else json.loads(self.value)


async def put_changes(
    database: Database,
    keys: Sequence[str],
    *,
    topic: str = USER_CHANGES.name,
    happened: str = "updated",
    name: str = "Łucja",
    notify: bool = True,
) -> list[int]:
    """Put a change of each key into the outbox, in one transaction; return the positions."""
    types = [f"clerkwork.{KINDS[topic]}.{happened}"] * len(keys)
    async with database.transaction():
        await database.execute("SELECT pg_advisory_xact_lock(6241358)")
        rows = await database.fetch(_PUT, topic, list(keys), types, name)
        if notify:
            await database.execute(
                "SELECT pg_notify('clerkwork_outbox', $1)", str(rows[-1]["position"])
            )
    return [row["position"] for row in rows]


async def read_changes(
    bootstrap_servers: str,
    positions: Iterable[int] | None = None,
    *,
    isolation_level: str = "read_committed",
) -> list[Seen]:
    """Return the records of both topics, those of `positions` only where there are any.

    In the order of each partition.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers,
        enable_auto_commit=False,
        isolation_level=isolation_level,
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        wanted = None if positions is None else set(positions)
        records = await _read_all(consumer)
        seen = [_seen(record) for record in records]
        return [each for each in seen if wanted is None or each.position in wanted]
    finally:
        await consumer.stop()


async def _read_all(consumer: AIOKafkaConsumer) -> list[ConsumerRecord[Any, Any]]:
    partitions = [
        TopicPartition(topic.name, number)
        for topic in CHANGES
        for number in range(topic.partitions)
    ]
    consumer.assign(partitions)
    await consumer.seek_to_beginning()
    ends = await consumer.end_offsets(partitions)
    records: list[ConsumerRecord[Any, Any]] = []
    while any([await consumer.position(tp) < end for tp, end in ends.items()]):
        fetched = await consumer.getmany(timeout_ms=50)
        records += [record for batch in fetched.values() for record in batch]
    return records


def _seen(record: ConsumerRecord[Any, Any]) -> Seen:
    return Seen(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=(record.key or b"").decode(),
        value=record.value,
        headers=read_headers(record.headers),
    )


def fold(seen: Iterable[Seen]) -> dict[str, Any]:
    """Return what a service knows that has read a topic from its beginning: key -> state."""
    known: dict[str, Any] = {}
    for each in seen:
        if each.value is None:
            known.pop(each.key, None)
        else:
            known[each.key] = each.state
    return known


def out_of_order(seen: Iterable[Seen]) -> list[Seen]:
    """Return the records whose sequence does not exceed that of every record before of their key.

    Also one that is there twice.
    """
    latest: dict[tuple[str, str], int] = {}
    found = []
    for each in seen:
        if each.position <= latest.get((each.topic, each.key), 0):
            found.append(each)
        latest[each.topic, each.key] = each.position
    return found


def new_keys(count: int) -> list[str]:
    """Return keys that nobody has used."""
    return [new_user_id() for _ in range(count)]


def spread_keys(count: int) -> list[str]:
    """Return keys that nobody has used, so many for each partition of `user.changes`."""
    everywhere = list(range(USER_CHANGES.partitions))
    missing = Counter(dict.fromkeys(everywhere, count))
    keys = []
    while missing.total():
        key = new_user_id()
        partition = DefaultPartitioner()(key.encode(), everywhere, everywhere)
        if missing[partition]:
            missing[partition] -= 1
            keys.append(key)
    return keys
