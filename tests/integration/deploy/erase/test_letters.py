"""Letters of others survive what is done to the partition they lie in."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.erase.letters import carry, find_obstacles, give_up
from deploy.erase.trails import Trail, find_hindrances
from deploy.topics import connected_admin
from schema.kafka.headers import read_headers
from schema.kafka.topics import DESK_GROUP
from tests.factories import inbound_headers, new_event_id, new_user_id
from tests.waiting import until
from workers.index import index

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    Database = asyncpg.Connection[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

PLACE = TopicPartition("clerk.unreadable.dlq", 1)
"""Its records nobody consumes in these tests."""


@dataclass(frozen=True, kw_only=True)
class Box:
    """A partition of letters, and the index of it."""

    database: Database
    pool: Pool
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer
    begins: int

    async def put(self, user: str) -> int:
        """Have a letter die, and return its offset."""
        stored = await self.producer.send_and_wait(
            PLACE.topic,
            b"letter of " + user.encode(),
            key=user.encode(),
            partition=PLACE.partition,
            timestamp_ms=1_767_225_600_123,
            headers=inbound_headers(new_event_id(), subject=user),
        )
        await self.reindex()
        return int(stored.offset)

    async def read(self) -> list[Any]:
        """Return the letters in Kafka."""
        end = (await self.consumer.end_offsets([PLACE]))[PLACE]
        self.consumer.assign([PLACE])
        self.consumer.seek(PLACE, self.begins)
        found: list[Any] = []

        async def more() -> int:
            found.extend((await self.consumer.getmany(timeout_ms=50)).get(PLACE, []))
            return len(found)

        await until(more, lambda count: self.begins + count >= end)
        return found

    async def reindex(self) -> None:
        """Index what is there, as a worker does sooner or later."""
        await index(self.pool, await self.read())

    async def rows(self, user: str) -> list[tuple[int, str]]:
        """Return where the index says the letters of a user are, and their states."""
        rows = await self.pool.fetch(
            'SELECT "offset", state FROM dead_letters WHERE clerk_user_id = $1 ORDER BY "offset"',
            user,
        )
        return [tuple(row) for row in rows]

    async def carry(self, trail: Trail) -> int:
        """Carry others' letters behind the trail."""
        return await carry(self.database, self.consumer, self.producer, trail)

    def trail(self, *own: int) -> Trail:
        """Return the trail of whose letters lie there."""
        last = max(own)
        return Trail(place=PLACE, begins=self.begins, count=len(own), last=last, own=[*own])


@pytest.fixture
async def box(bootstrap_servers: str, database: Database, database_url: str) -> AsyncIterator[Box]:
    """A partition that nobody else uses at the moment."""
    async with contextlib.AsyncExitStack() as opened:
        pool = await opened.enter_async_context(
            asyncpg.create_pool(database_url, min_size=1, max_size=1)
        )
        consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers, enable_auto_commit=False, fetch_max_wait_ms=50
        )
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers, enable_idempotence=True)
        opened.push_async_callback(consumer.stop)
        opened.push_async_callback(producer.stop)
        await consumer.start()
        await producer.start()
        begins = (await consumer.end_offsets([PLACE]))[PLACE]
        yield Box(database=database, pool=pool, consumer=consumer, producer=producer, begins=begins)


async def test_a_letter_that_waits_is_stored_again_byte_for_byte(box: Box) -> None:
    """With its time, key and headers; the index has it once, wherever a worker comes in."""
    waiting, done, person = new_user_id(), new_user_id(), new_user_id()
    first = await box.put(waiting)
    replayed = await box.put(done)
    own = await box.put(person)
    await box.pool.execute("UPDATE dead_letters SET state = 'parked' WHERE \"offset\" = $1", first)
    await box.pool.execute(
        "UPDATE dead_letters SET state = 'replayed' WHERE \"offset\" = $1", replayed
    )

    assert await box.carry(box.trail(own)) == 1
    letters = [each for each in await box.read() if each.key == waiting.encode()]
    old, new = letters
    await index(box.pool, [new])

    assert (old.value, old.headers, old.timestamp) == (new.value, new.headers, new.timestamp)
    assert read_headers(new.headers)["ce_subject"] == waiting
    assert await box.rows(waiting) == [(new.offset, "parked")]
    assert await box.rows(done) == [(replayed, "replayed")]


async def test_a_crash_leaves_no_letter_twice(box: Box) -> None:
    """Stored again, indexed by a worker, not noted by who has died: the next run sees that."""
    waiting, person = new_user_id(), new_user_id()
    first = await box.put(waiting)
    own = await box.put(person)
    original = next(each for each in await box.read() if each.offset == first)
    copy = await box.producer.send_and_wait(
        PLACE.topic,
        original.value,
        key=original.key,
        partition=PLACE.partition,
        timestamp_ms=original.timestamp,
        headers=list(original.headers),
    )
    await box.reindex()
    assert len(await box.rows(waiting)) == 2

    assert await box.carry(box.trail(own)) == 0
    assert await box.rows(waiting) == [(copy.offset, "open")]


async def test_nobody_removes_what_others_wait_for(box: Box, database: Database) -> None:
    """A letter that names the person and waits, and one that an operation has taken."""
    taken, naming, person = new_user_id(), new_user_id(), new_user_id()
    places = [await box.put(user) for user in (taken, naming, person)]
    trail = box.trail(places[2])
    trail.others.append(places[1])
    await database.execute(
        "UPDATE dead_letters SET state = 'replaying' WHERE clerk_user_id = $1", taken
    )
    before = await find_obstacles(database, trail)
    await database.execute("UPDATE dead_letters SET state = 'purged'")

    assert before == [f"{PLACE.topic}/{PLACE.partition}/{offset}" for offset in places[:2]]
    assert await find_obstacles(database, trail) == []


async def test_their_letters_are_given_up_with_an_audit(box: Box, database: Database) -> None:
    """Once: where nothing is left to give up, nothing is noted."""
    person = new_user_id()
    trail = box.trail(await box.put(person))
    for _ in range(2):
        await give_up(database, trail, clerk_id=person)
    audit = await database.fetch(
        "SELECT action, done, selection ->> 'erase' AS whom FROM operations"
    )

    assert [tuple(row) for row in audit] == [("purge", 1, person)]
    assert [state for _, state in await box.rows(person)] == ["purged"]


async def test_who_has_yet_to_pass_is_named(box: Box, bootstrap_servers: str) -> None:
    """The group that must pass, unless it has; and any other that is behind."""
    trail = box.trail(await box.put(new_user_id()))
    group = f"tests.{uuid.uuid4().hex}"
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        alone = await find_hindrances(admin, [trail])
        reader = AIOKafkaConsumer(
            bootstrap_servers=bootstrap_servers, group_id=group, enable_auto_commit=False
        )
        await reader.start()
        try:
            reader.assign([PLACE])
            await reader.commit({PLACE: trail.last})
            behind = await find_hindrances(admin, [trail])
            await reader.commit({PLACE: trail.end})
            passed = await find_hindrances(admin, [trail])
        finally:
            await reader.stop()

    assert alone == passed == {PLACE: [DESK_GROUP]}
    assert set(behind[PLACE]) == {DESK_GROUP, group}
