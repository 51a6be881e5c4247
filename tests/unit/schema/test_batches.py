"""Grouping records, with a Kafka that answers when the test says so."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka.errors import (
    KafkaError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    ProducerClosed,
)
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.structs import RecordMetadata, TopicPartition

from schema.kafka.batches import MAX_RECORD_BYTES, Batches, Record, Stored
from schema.kafka.partition import choose_partition

if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

PARTITIONS = 2
ROOM = 16 * 1024


@dataclass
class Sent:
    """A batch on its way."""

    partition: int
    values: list[bytes | None]
    delivery: asyncio.Future[RecordMetadata]

    def arrive(self, offset: int) -> None:
        """Acknowledge it."""
        place = TopicPartition("t", self.partition)
        self.delivery.set_result(RecordMetadata("t", self.partition, place, offset, -1, 0, 0))


@dataclass
class Kafka:
    """Takes batches and waits."""

    sent: list[Sent] = field(default_factory=list)
    partitions: int = PARTITIONS
    knows_topics: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Know every topic."""
        self.knows_topics.set()

    async def partitions_for(self, topic: str) -> set[int]:
        """Say what is known of the topic."""
        del topic
        await self.knows_topics.wait()
        return set(range(self.partitions))

    def create_batch(self) -> BatchBuilder:
        """Return aiokafka's own."""
        return BatchBuilder(ROOM, 0)

    async def send_batch(
        self, batch: BatchBuilder, topic: str, *, partition: int
    ) -> asyncio.Future[RecordMetadata]:
        """Take it."""
        del topic
        delivery: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        records = list(DefaultRecordBatch(bytes(batch._build())))
        self.sent.append(Sent(partition, [each.value for each in records], delivery))
        return delivery


def _batches(kafka: Kafka, **timeout: float) -> Batches:
    return Batches(cast("AIOKafkaProducer", kafka), **timeout)


def _key(partition: int) -> bytes:
    return next(
        key
        for key in (b"k%d" % n for n in range(100))
        if choose_partition(key, PARTITIONS) == partition
    )


def _record(value: bytes, *, partition: int = 0) -> Record:
    return Record(topic="t", key=_key(partition), value=value, headers=[("h", b"1")])


async def _turn() -> None:
    """Let everything that is ready run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def _put(batches: Batches, *values: bytes, **over: Any) -> list[asyncio.Future[Stored]]:
    return [await batches.put(_record(value, **over)) for value in values]


async def test_what_comes_together_goes_together() -> None:
    """One batch for all of a partition's records, and each hears its own place."""
    kafka = Kafka()
    waiting = await _put(_batches(kafka), b"a", b"b", b"c")
    await _turn()
    (sent,) = kafka.sent
    sent.arrive(40)

    assert sent.values == [b"a", b"b", b"c"]
    assert await asyncio.gather(*waiting) == [Stored("t", 0, 40 + n) for n in range(3)]


async def test_the_next_batch_waits_for_the_one_before() -> None:
    """A partition has one batch on its way: what comes later cannot arrive earlier."""
    kafka = Kafka()
    batches = _batches(kafka)
    await _put(batches, b"a")
    await _turn()
    await _put(batches, b"b", b"c")
    await _turn()
    assert [each.values for each in kafka.sent] == [[b"a"]]
    kafka.sent[0].arrive(0)
    await _turn()

    assert [each.values for each in kafka.sent] == [[b"a"], [b"b", b"c"]]
    kafka.sent[1].arrive(1)


async def test_a_partition_waits_for_no_other() -> None:
    """A partition without a leader holds up its own records only."""
    kafka = Kafka()
    batches = _batches(kafka)
    await _put(batches, b"stuck", partition=0)
    await _turn()
    (waiting,) = await _put(batches, b"free", partition=1)
    await _turn()
    kafka.sent[1].arrive(7)

    assert await waiting == Stored("t", 1, 7)


async def test_a_batch_that_fails_fails_its_own_records() -> None:
    """Each of them hears of it, by an error of its own; the next batch goes."""
    kafka = Kafka()
    batches = _batches(kafka)
    failing = await _put(batches, b"a", b"b")
    await _turn()
    (next_one,) = await _put(batches, b"c")
    kafka.sent[0].delivery.set_exception(NotLeaderForPartitionError())
    await _turn()
    kafka.sent[1].arrive(5)
    errors = await asyncio.gather(*failing, return_exceptions=True)

    assert [type(error) for error in errors] == [NotLeaderForPartitionError] * 2
    assert errors[0] is not errors[1]
    assert await next_one == Stored("t", 0, 5)


async def test_who_no_longer_waits_is_not_sent() -> None:
    """A record that is cancelled while it waits stays here; one on its way is not awaited."""
    kafka = Kafka()
    batches = _batches(kafka)
    (first,) = await _put(batches, b"a")
    await _turn()
    gone, stays = await _put(batches, b"b", b"c")
    first.cancel()
    gone.cancel()
    kafka.sent[0].arrive(0)
    await _turn()
    kafka.sent[1].arrive(1)

    assert kafka.sent[1].values == [b"c"]
    assert await stays == Stored("t", 0, 1)


async def test_a_full_batch_is_followed_by_another() -> None:
    """What does not fit is next, in order; one record may be larger than any batch."""
    kafka = Kafka()
    values = [*(b"%d" % n * 5000 for n in range(5)), b"x" * 2 * ROOM]
    waiting = await _put(_batches(kafka), *values)
    for number, offset in enumerate((0, 3, 5)):
        await _turn()
        kafka.sent[number].arrive(offset)

    assert [each.values for each in kafka.sent] == [values[:3], values[3:5], values[5:]]
    assert await asyncio.gather(*waiting) == [Stored("t", 0, n) for n in range(6)]


async def test_a_record_too_large_is_refused_at_once() -> None:
    """No broker would take it, and a refusal by the broker ends an idempotent producer."""
    batches = _batches(Kafka())

    with pytest.raises(MessageSizeTooLargeError):
        await batches.put(_record(b"x" * MAX_RECORD_BYTES))


async def test_closing_lets_go_what_waits() -> None:
    """All that was taken is sent before the end; nothing is taken any more."""
    kafka = Kafka()
    batches = _batches(kafka)
    await _put(batches, b"a")
    await _turn()
    (waiting,) = await _put(batches, b"b")
    closing = asyncio.create_task(batches.close(within_s=30))
    await _turn()
    with pytest.raises(ProducerClosed):
        await batches.put(_record(b"late"))
    kafka.sent[0].arrive(0)
    await _turn()
    kafka.sent[1].arrive(1)
    await closing

    assert await waiting == Stored("t", 0, 1)


async def test_closing_waits_for_nobody_for_ever() -> None:
    """A Kafka that does not answer ends the wait of everybody."""
    kafka = Kafka()
    batches = _batches(kafka)
    waiting = await _put(batches, b"a")
    await _turn()
    waiting += await _put(batches, b"b")
    await batches.close(within_s=0)
    ends = await asyncio.gather(*waiting, return_exceptions=True)

    assert all(isinstance(end, KafkaError) for end in ends)


async def test_nobody_waits_for_longer_than_agreed() -> None:
    """Whoever is on the way or waits hears that time is up; what waited is not sent later."""
    kafka = Kafka()
    batches = _batches(kafka, timeout_s=0.05)
    waiting = await _put(batches, b"sent")
    await _turn()
    waiting += await _put(batches, b"waits")
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    (later,) = await _put(batches, b"later")
    kafka.sent[0].arrive(0)
    await _turn()
    kafka.sent[1].arrive(1)

    assert [type(end) for end in ends] == [TimeoutError] * 2
    assert ends[0] is not ends[1]
    assert kafka.sent[1].values == [b"later"]
    assert await later == Stored("t", 0, 1)


async def test_everybody_has_the_whole_time() -> None:
    """One who came later is not sent away with those before."""
    batches = _batches(Kafka(), timeout_s=0.2)
    clock = asyncio.get_running_loop().time
    await _put(batches, b"first")
    await asyncio.sleep(0.1)
    came = clock()
    (second,) = await _put(batches, b"second", partition=1)
    with pytest.raises(TimeoutError):
        await second

    assert clock() - came >= 0.2


async def test_who_leaves_a_batch_takes_nobody_along() -> None:
    """One task that is cancelled while its record is on the way changes nothing for the others."""
    kafka = Kafka()
    batches = _batches(kafka, timeout_s=30)
    gone, stays = await _put(batches, b"a", b"b")

    async def wait(future: asyncio.Future[Stored]) -> Stored:
        return await future

    tasks = [asyncio.create_task(wait(future)) for future in (gone, stays)]
    await _turn()
    tasks[0].cancel()
    await _turn()
    kafka.sent[0].arrive(3)
    ends = await asyncio.gather(*tasks, return_exceptions=True)

    assert isinstance(ends[0], asyncio.CancelledError)
    assert ends[1] == Stored("t", 0, 4)


async def test_a_topic_that_nobody_knows_is_not_waited_for_longer() -> None:
    """Kafka may never say how many partitions there are."""
    kafka = Kafka()
    kafka.knows_topics.clear()

    with pytest.raises(TimeoutError):
        await _batches(kafka, timeout_s=0.05).put(_record(b"a"))


async def test_partitions_that_are_added_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """How many there are is remembered for a moment only."""
    monkeypatch.setattr("schema.kafka.batches.COUNT_S", -1.0)
    kafka = Kafka()
    batches = _batches(kafka)
    await _put(batches, b"a")
    kafka.partitions = 200
    keys = [b"k%d" % n for n in range(20)]
    for key in keys:
        await batches.put(_record(b"b")._replace(key=key))
    await _turn()

    assert {each.partition for each in kafka.sent[1:]} >= {
        choose_partition(key, 200) for key in keys
    }
    for each in kafka.sent:
        each.arrive(0)


async def test_closing_leaves_no_timer() -> None:
    """After the end nobody is woken."""
    kafka = Kafka()
    batches = _batches(kafka, timeout_s=30)
    (waiting,) = await _put(batches, b"a")
    closing = asyncio.create_task(batches.close(within_s=30))
    await _turn()
    kafka.sent[0].arrive(0)
    await closing

    assert await waiting == Stored("t", 0, 0)
    assert batches._alarm is None
