"""Batches: records that wait at the same time go together, a ready batch for each partition.

aiokafka's `send` costs a coroutine, a hash and a look through the cluster for each record; a
ready batch costs a third of that. Of each partition one batch is on its way, and what comes in the
meantime is the next: records stay in the order in which they came, and nothing lingers.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
from typing import TYPE_CHECKING, Final, NamedTuple

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed

from schema.kafka.partition import choose_partition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import AIOKafkaProducer
    from aiokafka.producer.message_accumulator import BatchBuilder

    from schema.kafka.headers import RawHeaders

MAX_RECORD_BYTES: Final = 1_000_000
"""Brokers take 1 MiB unless told otherwise, envelope and headers' lengths included."""


class Record(NamedTuple):
    """What is to be stored."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: RawHeaders


class Stored(NamedTuple):
    """Where Kafka keeps a record."""

    topic: str
    partition: int
    offset: int


class _Waiting(NamedTuple):
    """A record, and who waits to hear where it is."""

    record: Record
    future: asyncio.Future[Stored]


class _Lane:
    """What goes to one partition."""

    __slots__ = ("partition", "task", "topic", "waiting")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.waiting: list[_Waiting] = []
        self.task: asyncio.Task[None] | None = None


class Batches:
    """Hands records to one producer."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._arriving = 0
        self._arrived = asyncio.Event()
        self._closed = False

    async def put(self, record: Record) -> asyncio.Future[Stored]:
        """Return what will tell where `record` is stored, or that it is not (KafkaError).

        To cancel it takes the record back, unless it is on its way. Raises KafkaError at once for
        a record that is too large, or when the topic is not known.
        """
        if _size(record) > MAX_RECORD_BYTES:
            raise MessageSizeTooLargeError
        partitions = await self._count_partitions(record.topic)
        key = record.key
        number = (
            random.randrange(partitions)  # noqa: S311  # any will do
            if key is None
            else choose_partition(key, partitions)
        )
        lane = self._lanes.get((record.topic, number))
        if lane is None:
            lane = self._lanes[record.topic, number] = _Lane(record.topic, number)
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        lane.waiting.append(_Waiting(record, future))
        if lane.task is None:
            lane.task = asyncio.create_task(self._empty(lane))
        return future

    async def close(self, *, within_s: float) -> None:
        """Take nothing more, and let what waits go; not for longer than `within_s`."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._drain()
        for lane in self._lanes.values():
            if lane.task is not None:
                lane.task.cancel()

    async def _drain(self) -> None:
        """Wait for those who are about to put something, then until everything has gone."""
        while self._arriving:
            self._arrived.clear()
            await self._arrived.wait()
        while tasks := [lane.task for lane in self._lanes.values() if lane.task is not None]:
            await asyncio.wait(tasks)

    async def _count_partitions(self, topic: str) -> int:
        """Return how many the topic has; the first time Kafka is asked."""
        if self._closed:
            raise ProducerClosed
        self._arriving += 1
        try:
            return len(await self._producer.partitions_for(topic))
        finally:
            self._arriving -= 1
            if not self._arriving:
                self._arrived.set()

    async def _empty(self, lane: _Lane) -> None:
        try:
            while lane.waiting:
                batch, sent = self._fill(lane)
                if sent:
                    await self._deliver(batch, sent, lane)
        finally:
            lane.task = None
            for left in lane.waiting:  # cancelled: nobody will come for them
                _fail(left, ProducerClosed())
            lane.waiting = []

    def _fill(self, lane: _Lane) -> tuple[BatchBuilder, Sequence[_Waiting]]:
        """Return as many as fit, less those nobody waits for any more."""
        batch = self._producer.create_batch()
        sent: list[_Waiting] = []
        taken = 0
        for each in lane.waiting:
            if not each.future.done():
                _, key, value, headers = each.record
                if batch.append(timestamp=None, key=key, value=value, headers=headers) is None:
                    break
                sent.append(each)
            taken += 1
        batch.close()
        del lane.waiting[:taken]
        return batch, sent

    async def _deliver(self, batch: BatchBuilder, sent: Sequence[_Waiting], lane: _Lane) -> None:
        topic, partition = lane.topic, lane.partition
        try:
            first = await (await self._producer.send_batch(batch, topic, partition=partition))
        except KafkaError as error:
            for each in sent:
                _fail(each, error)
            return
        except BaseException:
            for each in sent:
                _fail(each, ProducerClosed())
            raise
        for offset, each in enumerate(sent, first.offset):
            if not each.future.done():
                each.future.set_result(Stored(topic, partition, offset))


def _fail(waiting: _Waiting, error: KafkaError) -> None:
    # A copy for each: every await of one exception adds to its traceback.
    if not waiting.future.done():
        waiting.future.set_exception(copy.copy(error))


def _size(record: Record) -> int:
    """Return about how large it is; a few bytes short of what Kafka counts."""
    size = len(record.key or b"") + len(record.value or b"")
    if size < MAX_RECORD_BYTES // 2:
        return size  # headers are no larger than that: their parts are bounded
    return size + sum(len(name) + len(value) for name, value in record.headers)
