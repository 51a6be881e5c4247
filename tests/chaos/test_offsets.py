"""Offsets are committed beside the next batch: late, refused or cut short, they stay true."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from aiokafka.admin import NewTopic
from prometheus_client import CollectorRegistry

from deploy.topics import connected_admin
from schema.kafka.topics import Topic
from schema.ops.metrics import WorkerMetrics
from tests.waiting import until
from workers.commit import Control
from workers.settings import WorkerSettings
from workers.subscribe import Feed, Subscription, subscribe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition

    from tests.chaos.troupe import Arena

PARTITIONS: Final = 2


@dataclass(kw_only=True)
class Line:
    """A topic and a group of its own, and a step that notes what it is given."""

    servers: str
    topic: str = field(default_factory=lambda: f"tests.offsets.{uuid.uuid4().hex}")
    done: defaultdict[int, list[bytes | None]] = field(default_factory=lambda: defaultdict(list))
    """Partition -> what was dealt with."""

    free: asyncio.Event = field(default_factory=asyncio.Event)
    """The step waits while it is not set."""

    failing: set[bytes] = field(default_factory=set)
    """Of these the step fails."""

    failures: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once records have come: all that were there, for one fetch brings them."""

    async def step(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Deal with each, or fail."""
        self.begun.set()
        await self.free.wait()
        if failing := self.failing & {record.value for record in records}:
            self.failures += 1
            raise KeyError(*failing)
        for record in records:
            self.done[record.partition].append(record.value)

    async def count(self) -> int:
        """Return how many are dealt with."""
        return sum(map(len, self.done.values()))

    async def committed(self) -> Mapping[int, int]:
        """Return partition -> the offset that the group goes on with, where there is one."""
        async with connected_admin({"bootstrap_servers": self.servers}) as admin:
            found = await admin.list_consumer_group_offsets(self.topic)
        return {place.partition: held.offset for place, held in found.items() if held.offset > 0}


@pytest.fixture
def settings(bootstrap_servers: str, monkeypatch: pytest.MonkeyPatch) -> WorkerSettings:
    """Settings of a worker that takes one record after the other."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", bootstrap_servers)
    monkeypatch.setenv("DATABASE_URL", "postgresql://localhost/nobody")
    monkeypatch.setenv("WORKER_BATCH_SIZE", "1")
    return WorkerSettings()


@pytest.fixture
async def line(bootstrap_servers: str) -> Line:
    """A line on a topic of its own, which is empty."""
    line = Line(servers=bootstrap_servers)
    async with connected_admin({"bootstrap_servers": bootstrap_servers}) as admin:
        await admin.create_topics([NewTopic(line.topic, PARTITIONS, 1)])
    return line


async def _publish(producer: AIOKafkaProducer, line: Line, *values: bytes, to: int = 0) -> None:
    for value in values:
        await producer.send_and_wait(line.topic, value, partition=to)


@contextlib.asynccontextmanager
async def _working(
    settings: WorkerSettings, line: Line, metrics: WorkerMetrics | None = None
) -> AsyncIterator[Subscription]:
    """Have somebody work on the line, who has partitions."""
    topic = Topic(name=line.topic, partitions=PARTITIONS, key="", value="", retention_days=1)
    feed = Feed(topics=[topic], step=line.step, control=Control(line.topic))
    metrics = metrics or WorkerMetrics(CollectorRegistry())
    subscription = subscribe(settings, feed, metrics=metrics)
    await subscription.start()
    try:
        await until(partial(_owned, subscription), bool)
        yield subscription
    finally:
        await subscription.stop()


async def _owned(subscription: Subscription) -> set[TopicPartition]:
    consumer = subscription.control.consumer
    return consumer.assignment() if consumer else set()


async def _runs(subscription: Subscription) -> bool:
    return subscription.subscriber.running


async def _hold_at_the_commit(arena: Arena, line: Line, *, done: int) -> None:
    """Let no request through any more, and the step begin with what it was given before."""
    await line.begun.wait()
    arena.to_kafka.hold_requests()
    line.free.set()
    await until(line.count, done.__eq__)


async def test_the_line_goes_on_while_a_commit_is_on_its_way(
    arena: Arena, settings: WorkerSettings, line: Line, producer: AIOKafkaProducer
) -> None:
    """The broker hears of all of it once it listens again; until then it counts as unconfirmed."""
    metrics = WorkerMetrics(CollectorRegistry())
    unconfirmed = metrics.uncommitted.labels(line.topic)._value
    await _publish(producer, line, b"1", b"2", b"3")
    async with _working(settings, line, metrics):
        await _hold_at_the_commit(arena, line, done=3)
        meanwhile = unconfirmed.get()
        arena.to_kafka.heal()
        await until(line.committed, {0: 3}.__eq__)

    assert meanwhile == 3
    assert unconfirmed.get() == 0
    assert metrics.bugs._value.get() == 0


async def test_a_stop_waits_for_the_commit(
    arena: Arena,
    settings: WorkerSettings,
    line: Line,
    producer: AIOKafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever stops, a static member too, leaves nothing behind that was dealt with."""
    monkeypatch.setenv("WORKER_INSTANCE_ID", "offsets-0")
    await _publish(producer, line, b"1", b"2")
    async with _working(WorkerSettings(), line) as subscription:
        await _hold_at_the_commit(arena, line, done=2)
        stopping = asyncio.create_task(subscription.stop())
        done, _ = await asyncio.wait({stopping}, timeout=0.5)
        arena.to_kafka.heal()
        await stopping
    assert await line.committed() == {0: 2}
    await _publish(producer, line, b"3")
    async with _working(settings, line):
        await until(line.count, (3).__eq__)

    assert not done
    assert line.done == {0: [b"1", b"2", b"3"]}


async def test_a_stop_waits_for_the_commit_of_the_batch_in_flight(
    arena: Arena, settings: WorkerSettings, line: Line, producer: AIOKafkaProducer
) -> None:
    """The batch that is the last, because the stop came first, is not the next worker's too."""
    await _publish(producer, line, b"1", b"2")
    async with _working(settings, line) as subscription:
        await line.begun.wait()
        stopping = asyncio.create_task(subscription.stop())
        await until(partial(_runs, subscription), (False).__eq__)
        await _hold_at_the_commit(arena, line, done=1)
        done, _ = await asyncio.wait({stopping}, timeout=0.5)
        arena.to_kafka.heal()
        await stopping

    assert not done
    assert await line.committed() == {0: 1}


async def test_partitions_are_not_given_away_before_the_commit(
    arena: Arena, settings: WorkerSettings, line: Line, producer: AIOKafkaProducer
) -> None:
    """A rebalance waits for it; the next owner begins behind what was dealt with."""
    await _publish(producer, line, b"1", b"2")
    async with _working(settings, line) as subscription:
        await _hold_at_the_commit(arena, line, done=2)
        places = await _owned(subscription)
        revoking = asyncio.create_task(subscription.control.on_partitions_revoked(places))
        done, _ = await asyncio.wait({revoking}, timeout=0.5)
        arena.to_kafka.heal()
        await revoking

        assert not done
        assert await line.committed() == {0: 2}


async def test_nothing_is_done_twice_where_commits_are_slow(
    arena: Arena, settings: WorkerSettings, line: Line, producer: AIOKafkaProducer
) -> None:
    """Somebody joins while commits are on their way, and goes on where the other has ended."""
    line.free.set()
    arena.to_kafka.delay_s = 0.1
    values = [str(number).encode() for number in range(40)]
    async with _working(settings, line):
        for value in values[:20]:
            await asyncio.gather(*(_publish(producer, line, value, to=to) for to in (0, 1)))
        async with _working(settings, line):
            for value in values[20:]:
                await asyncio.gather(*(_publish(producer, line, value, to=to) for to in (0, 1)))
            await until(line.count, (80).__eq__)
        await until(line.committed, {0: 40, 1: 40}.__eq__)

    assert line.done == {0: values, 1: values}


async def test_a_batch_that_fails_takes_nothing_back(
    arena: Arena,
    settings: WorkerSettings,
    line: Line,
    producer: AIOKafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was dealt with before it is committed all the same, and only it comes again."""
    monkeypatch.setattr("workers.commit.BUG_PAUSE_S", 0.05)
    line.failing.add(b"2")
    await _publish(producer, line, b"1", b"2", b"3")
    async with _working(settings, line):
        await _hold_at_the_commit(arena, line, done=1)
        before = line.failures
        arena.to_kafka.heal()
        await until(line.committed, {0: 1}.__eq__)
        line.failing.clear()
        await until(line.committed, {0: 3}.__eq__)

    assert line.failures >= before
    assert line.failures > 0
    assert line.done == {0: [b"1", b"2", b"3"]}


async def test_a_commit_that_is_given_up_is_tried_again(
    arena: Arena,
    settings: WorkerSettings,
    line: Line,
    producer: AIOKafkaProducer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where no further record comes that would take it along."""
    monkeypatch.setattr("workers.confirm.COMMIT_TIMEOUT_S", 0.2)
    monkeypatch.setattr("workers.confirm.RETRY_AFTER_S", 0.05)
    metrics = WorkerMetrics(CollectorRegistry())
    await _publish(producer, line, b"1")
    async with _working(settings, line, metrics):
        await _hold_at_the_commit(arena, line, done=1)
        await asyncio.sleep(0.5)  # longer than one attempt
        arena.to_kafka.heal()
        await until(line.committed, {0: 1}.__eq__)
        await until(partial(_value, metrics, line), (0).__eq__)

    assert line.done == {0: [b"1"]}


async def _value(metrics: WorkerMetrics, line: Line) -> float:
    return metrics.uncommitted.labels(line.topic)._value.get()
