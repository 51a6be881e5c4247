"""Batches: records that wait at the same time go together, a ready batch for each partition.

aiokafka's `send` costs a coroutine, a hash and a look through the cluster for each record; a
ready batch costs a third of that. Of each partition one batch is on its way, and what comes in the
meantime is the next: records stay in the order in which they came, and nothing lingers.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import math
import random
from itertools import chain
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


COUNT_S: Final = 1.0
"""For how long the number of a topic's partitions is believed."""


class _Waiting(NamedTuple):
    """A record, and who waits to hear where it is."""

    record: Record
    future: asyncio.Future[Stored]
    due: float
    """Until when, by the loop's clock."""


class _Lane:
    """What goes to one partition."""

    __slots__ = ("partition", "sent", "task", "topic", "waiting")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.waiting: list[_Waiting] = []
        self.sent: Sequence[_Waiting] = ()
        """Of the batch that is on its way; they came before those who wait."""
        self.task: asyncio.Task[None] | None = None


class Batches:
    """Hands records to one producer."""

    def __init__(self, producer: AIOKafkaProducer, *, timeout_s: float = math.inf) -> None:
        """Nobody waits for longer than `timeout_s`."""
        self._producer = producer
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._lanes: dict[tuple[str, int], _Lane] = {}
        self._counts: dict[str, tuple[int, float]] = {}
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = math.inf
        self._arriving = 0
        self._arrived = asyncio.Event()
        self._closed = False

    async def put(self, record: Record) -> asyncio.Future[Stored]:
        """Return what will tell where `record` is stored, or that it is not (KafkaError).

        It says TimeoutError in time. To cancel it takes the record back, unless it is on its way.
        Raises KafkaError at once for a record that is too large, or when the topic is not known,
        and TimeoutError when that is not known in time.
        """
        if _size(record) > MAX_RECORD_BYTES:
            raise MessageSizeTooLargeError
        now = self._loop.time()
        due = now + self._timeout_s
        partitions, until = self._counts.get(record.topic, (0, 0.0))
        if until < now or self._closed:
            partitions = await self._count_partitions(record.topic, due=due)
        key = record.key
        number = (
            random.randrange(partitions)  # noqa: S311  # any will do
            if key is None
            else choose_partition(key, partitions)
        )
        lane = self._lanes.get((record.topic, number))
        if lane is None:
            lane = self._lanes[record.topic, number] = _Lane(record.topic, number)
        future: asyncio.Future[Stored] = self._loop.create_future()
        lane.waiting.append(_Waiting(record, future, due))
        if due < self._alarm_at:
            self._set_alarm(due)
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
        self._set_alarm(math.inf)

    def _set_alarm(self, due: float) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = self._loop.call_at(due, self._end_waits) if due < math.inf else None
        self._alarm_at = due

    def _end_waits(self) -> None:
        """Tell those whose time is up, and look again when the next one's is.

        One timer for all: a timer for each record took nearly 4 % of what a webhook costs.
        """
        now = self._loop.time()
        lanes = self._lanes.values()
        each_waiting = chain.from_iterable(chain(lane.sent, lane.waiting) for lane in lanes)
        left = [each for each in each_waiting if not each.future.done()]
        for each in left:
            if each.due <= now:
                _fail(each, TimeoutError())
        self._set_alarm(min((each.due for each in left if each.due > now), default=math.inf))

    async def _drain(self) -> None:
        """Wait for those who are about to put something, then until everything has gone."""
        while self._arriving:
            self._arrived.clear()
            await self._arrived.wait()
        while tasks := [lane.task for lane in self._lanes.values() if lane.task is not None]:
            await asyncio.wait(tasks)

    async def _count_partitions(self, topic: str, *, due: float) -> int:
        """Return how many the topic has; the first time Kafka is asked."""
        if self._closed:
            raise ProducerClosed
        self._arriving += 1
        try:
            async with asyncio.timeout_at(due if due < math.inf else None):
                count = len(await self._producer.partitions_for(topic))
            self._counts[topic] = count, self._loop.time() + COUNT_S
            return count
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
        lane.sent = sent
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
        finally:
            lane.sent = ()
        for offset, each in enumerate(sent, first.offset):
            if not each.future.done():
                each.future.set_result(Stored(topic, partition, offset))


def _fail(waiting: _Waiting, error: KafkaError | TimeoutError) -> None:
    # A copy for each: every await of one exception adds to its traceback.
    if not waiting.future.done():
        waiting.future.set_exception(copy.copy(error))
        waiting.future.exception()  # who has gone in this very moment need not hear of it


def _size(record: Record) -> int:
    """Return about how large it is; a few bytes short of what Kafka counts."""
    size = len(record.key or b"") + len(record.value or b"")
    if size < MAX_RECORD_BYTES // 2:
        return size  # headers are no larger than that: their parts are bounded
    return size + sum(len(name) + len(value) for name, value in record.headers)
