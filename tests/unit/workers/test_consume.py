"""Many records at once are dealt with batch by batch, and none waits for the one before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from schema.ops.metrics import WorkerMetrics, new_registry
from tests.factories import make_record, user_event
from workers import consume as module
from workers.classify import UnreachableError
from workers.commit import Control, InterruptedWaitError
from workers.consume import Consumer, part
from workers.decode import Event, decode
from workers.record import Applied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    Record = ConsumerRecord[Any, Any]


class Database:
    """Applies a batch only once the next one is decoded."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.batches: list[list[int]] = []
        self.decoded: set[int] = set()
        self.progress = asyncio.Event()

    def decode(self, record: Record) -> Event:
        """Decode, and remember what."""
        self.decoded.add(record.offset)
        self.progress.set()
        return decode(record)

    async def apply(self, _pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
        """Take a batch, and its time."""
        offsets = [event.record.offset for event in events]
        async with asyncio.timeout(5):
            while min(offsets[-1] + 1, self.last) not in self.decoded:
                self.progress.clear()
                await self.progress.wait()
        self.batches.append(offsets)
        return [Applied(event, "applied") for event in events]


async def test_a_batch_is_decoded_while_the_one_before_is_applied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One batch at a time is applied, in the order of the records."""
    database = Database(last=4)
    monkeypatch.setattr(module, "decode", database.decode)
    monkeypatch.setattr(module, "apply", database.apply)
    body = user_event("user_1", at=0)
    await _consumer().consume([make_record(body, offset=offset) for offset in range(5)])

    assert database.batches == [[0, 1], [2, 3], [4]]


async def _apply_at_once(_pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
    return [Applied(event, "applied") for event in events]


def _consumer() -> Consumer:
    return Consumer(
        pool=cast("Any", None),
        producer=cast("Any", None),
        control=Control(),
        metrics=WorkerMetrics(new_registry()),
        batch_size=2,
    )


def _records(partitions: Sequence[int]) -> list[Record]:
    body = user_event("user_1", at=0)
    return [
        make_record(body, partition=partition, offset=offset)
        for partition in partitions
        for offset in range(3)
    ]


async def test_two_partitions_do_not_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each batch is of one lane's partitions; a partition's batches come one after the other."""
    at_work, seen = asyncio.Barrier(2), list[tuple[int, int]]()

    async def apply(pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
        async with asyncio.timeout(5):
            await at_work.wait()
        seen.extend((event.record.partition, event.record.offset) for event in events)
        return await _apply_at_once(pool, events)

    monkeypatch.setattr(module, "apply", apply)
    await _consumer().consume(_records([0, 1]))

    for partition in (0, 1):
        assert [offset for where, offset in seen if where == partition] == [0, 1, 2]


async def test_no_batch_is_left_at_work_when_another_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes the partitions over must find nobody at work on them."""
    done: list[int] = []

    async def apply(pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
        if events[0].record.partition == 0:
            raise KeyError
        for _turn in range(20):
            await asyncio.sleep(0)
        done.extend(event.record.offset for event in events)
        return await _apply_at_once(pool, events)

    monkeypatch.setattr(module, "apply", apply)
    with pytest.raises(KeyError):
        await _consumer().consume(_records([0, 1]))

    assert done == [0, 1, 2]


async def test_a_batch_that_goes_on_does_not_hide_one_that_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Readiness is off for as long as one of them waits, and on again right after."""
    consumer, tries = _consumer(), list[int]()

    async def apply(pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
        tries.append(events[0].record.partition)
        if events[0].record.partition == 0 and tries.count(0) <= 4:
            raise UnreachableError("away")
        return await _apply_at_once(pool, events)

    async def look(_seconds: float) -> None:
        seen.append(consumer.waiting.is_set())

    seen: list[bool] = []
    monkeypatch.setattr(module, "apply", apply)
    monkeypatch.setattr(module.Consumer, "_sleep", lambda _self, seconds: look(seconds))
    await consumer.consume(_records([0, 1]))

    assert seen == [True] * 4
    assert not consumer.waiting.is_set()


async def test_who_waits_for_long_is_not_made_to_wait_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The batch in flight is finished; those after it come again, wherever the partition is."""
    consumer, done = _consumer(), list[int]()

    async def apply(pool: Any, events: Sequence[Event], *_: Any) -> list[Applied]:
        consumer.control.stop()
        done.extend(event.record.offset for event in events)
        return await _apply_at_once(pool, events)

    monkeypatch.setattr("workers.commit.HURRY_AFTER_S", -1.0)
    monkeypatch.setattr(module, "apply", apply)
    with pytest.raises(InterruptedWaitError):
        await consumer.consume([make_record(b"{}", offset=offset) for offset in range(6)])

    assert done == [0, 1]


def test_partitions_are_shared_out_evenly() -> None:
    """By how many records each has; the order within a partition stays."""
    records = _records([0, 1, 2, 2])

    assert [[each.partition for each in lane] for lane in part(records, 2)] == [
        [2] * 6,
        [0] * 3 + [1] * 3,
    ]
    assert part(records[:3], 2) == [records[:3]]
