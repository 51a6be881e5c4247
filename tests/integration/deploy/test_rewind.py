"""Rewinding, on real servers: what waits to be tried again, letters, and who is in the way."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.errors import OperatorError
from deploy.letters.desk import DeskSettings
from deploy.rewind.run import rewind
from schema.kafka.topics import DESK_GROUP, GROUP, retry_group
from tests.factories import new_event_id
from tests.rows import insert

if TYPE_CHECKING:
    import asyncpg
    from aiokafka import AIOKafkaProducer

    Database = asyncpg.Connection[asyncpg.Record]

RETRY: Final = TopicPartition("clerk.user-events.retry.1m", 1)
LETTERS: Final = TopicPartition("clerk.user-events.dlq", 2)


@pytest.fixture
def settings(
    bootstrap_servers: str, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> DeskSettings:
    """An operator's."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", database_url)
    return DeskSettings()


async def _commit_ends(bootstrap_servers: str, group: str, place: TopicPartition) -> int:
    """Have a group at the end of a partition, and return where that is."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        consumer.assign([place])
        ends = await consumer.end_offsets([place])
        await consumer.commit(ends)
    finally:
        await consumer.stop()
    return int(ends[place])


async def _insert_letter(database: Database, offset: int, **columns: Any) -> None:
    await insert(
        database,
        "dead_letters",
        topic=LETTERS.topic,
        partition=LETTERS.partition,
        offset=offset,
        dead_at=datetime.now(UTC),
        error_class="bug",
        attempts=4,
        **columns,
    )


async def test_what_waited_in_a_retry_topic_is_tried_again(
    settings: DeskSettings, producer: AIOKafkaProducer, database: Database
) -> None:
    """From the oldest that waits according to the tables, and nothing before."""
    now = time.time()
    for ago_s in (7200, 3600, 1800):
        await producer.send_and_wait(
            RETRY.topic, b"{}", partition=RETRY.partition, timestamp_ms=int((now - ago_s) * 1000)
        )
    end = await _commit_ends(settings.kafka_bootstrap_servers, retry_group("1m"), RETRY)
    at = datetime.fromtimestamp(now, UTC) - timedelta(seconds=3600)
    await insert(
        database,
        "events",
        event_id=new_event_id(),
        occurred_at=at,
        type="user.updated",
        received_at=at,
        applied_at=at,
        outcome="retrying",
        topic="clerk.user-events",
        partition=0,
        offset=0,
    )
    rewound = await rewind(settings, dry_run=True)

    steps = {step.place: step for step in rewound.steps}
    assert steps[RETRY].committed == end
    assert steps[RETRY].target == end - 2


async def test_letters_are_indexed_from_where_the_index_ends(
    settings: DeskSettings, producer: AIOKafkaProducer, database: Database
) -> None:
    """Those behind the end of the topic are of one that is gone, and give their places up."""
    for _ in range(3):
        await producer.send_and_wait(LETTERS.topic, b"{}", partition=LETTERS.partition)
    end = await _commit_ends(settings.kafka_bootstrap_servers, DESK_GROUP, LETTERS)
    await _insert_letter(database, end - 2)
    looked = await rewind(settings, dry_run=True)
    await _insert_letter(database, end + 5, state="replayed")
    await rewind(settings, dry_run=False)
    left = await database.fetch('SELECT "offset" FROM dead_letters')
    again = await rewind(settings, dry_run=True)

    assert [step.target for step in looked.steps if step.place == LETTERS] == [end - 1]
    assert looked.letters == {}
    assert [row["offset"] for row in left] == [end - 2]
    assert again.letters == {}
    assert LETTERS not in {step.place for step in again.steps}


async def test_nothing_is_done_while_somebody_works(settings: DeskSettings) -> None:
    """The groups are named."""
    consumer = AIOKafkaConsumer(
        "clerk.user-events", bootstrap_servers=settings.kafka_bootstrap_servers, group_id=GROUP
    )
    await consumer.start()
    try:
        with pytest.raises(OperatorError, match=f"{GROUP} has 1"):
            await rewind(settings, dry_run=False)
    finally:
        await consumer.stop()
