"""What must be true after any fault, whatever happened meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schema.kafka.headers import read_headers
from schema.kafka.topics import GROUP, ORG_EVENTS, USER_EVENTS, dead_letter_topic
from tests.integration.workers.order.tables import about, differences, found_tables
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chaos.stories import Story

    Database = asyncpg.Connection[asyncpg.Record]

SOURCES: Final = [
    TopicPartition(topic.name, number)
    for topic in (USER_EVENTS, ORG_EVENTS)
    for number in range(topic.partitions)
]
LETTERS: Final = [
    TopicPartition(topic.name, number)
    for topic in map(dead_letter_topic, (USER_EVENTS, ORG_EVENTS))
    for number in range(topic.partitions)
]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How the promises were kept; all empty is well."""

    lost: list[str]
    """Events of which the ledger knows nothing."""
    duplicated: list[str]
    """Events that ended twice: applied, and yet in a dead-letter topic."""
    wrong: list[str]
    """Rows that are not as the model has them, poison without a letter, letters of no poison."""

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.duplicated or self.wrong)


@dataclass(frozen=True, kw_only=True)
class Witness:
    """Looks at both servers, past every proxy that is in a bad state."""

    database_url: str
    bootstrap_servers: str

    async def check(self, story: Story, *, within_s: float = 60.0) -> None:
        """Fail unless every promise is kept, once everything is settled."""
        verdict = await self.judge(story, within_s=within_s)
        assert verdict.clean, f"{verdict}"

    async def judge(self, story: Story, *, within_s: float = 60.0) -> Verdict:
        """Return what became of a story that is settled, or will be within some time."""
        await self.settle(story, within_s=within_s)
        letters = await self.letters(story.ids)
        async with asyncpg.create_pool(self.database_url, min_size=1, max_size=1) as pool:
            found = about(await found_tables(pool), story.told)
        ledger = found["events"].values()
        dead = {row["event_id"] for row in ledger if row["outcome"] == "dead"}
        stray = letters ^ story.dead
        return Verdict(
            lost=sorted(set(story.ids) - {row["event_id"] for row in ledger}),
            duplicated=sorted(letters - dead),
            wrong=[
                *differences(story.expected, found),
                *(f"letter {each}" for each in sorted(stray)),
            ],
        )

    async def settle(self, story: Story, *, within_s: float) -> None:
        """Wait until the ledger and the dead-letter topics have what they must; not for ever."""
        connection = await asyncpg.connect(self.database_url)
        try:
            await until(
                lambda: count_in_ledger(connection, story.ids),
                len(story.told).__eq__,
                within_s=within_s,
            )
        finally:
            await connection.close()
        # The letter is written after its ledger row is committed, and before the offset.
        await until(lambda: self.letters(story.ids), story.dead.issubset, within_s=30)

    async def lag(self) -> int:
        """Return how many records the workers' group has not committed yet."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap_servers)
        consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap_servers)
        try:
            await admin.start()
            await consumer.start()
            committed = await admin.list_consumer_group_offsets(GROUP)
            ends = await consumer.end_offsets(SOURCES)
            return sum(
                end - max(committed[tp].offset if tp in committed else 0, 0)
                for tp, end in ends.items()
            )
        finally:
            await consumer.stop()
            await admin.close()

    async def letters(self, ids: Iterable[str]) -> set[str]:
        """Return which of these events a dead-letter topic holds."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap_servers, enable_auto_commit=False
        )
        await consumer.start()
        try:
            consumer.assign(LETTERS)
            await consumer.seek_to_beginning()
            ends = await consumer.end_offsets(LETTERS)
            found: set[str] = set()
            while any([await consumer.position(tp) < end for tp, end in ends.items()]):
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found |= {read_headers(record.headers)["ce_id"] for record in records}
            return found & set(ids)
        finally:
            await consumer.stop()


async def count_in_ledger(database: Database, ids: list[str]) -> int:
    """Return how many of these events the ledger has."""
    return await database.fetchval(
        "SELECT count(*) FROM events WHERE event_id = ANY($1::text[])", ids
    )
