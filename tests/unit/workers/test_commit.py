"""Offsets after the work, and a rebalance that waits for it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError
from prometheus_client import CollectorRegistry

from schema.ops.metrics import WorkerMetrics
from tests.factories import make_record
from workers.commit import CommitOffsets, Control, InterruptedWaitError
from workers.confirm import Offsets

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aiokafka import ConsumerRecord
    from faststream import ContextRepo

    Record = ConsumerRecord[Any, Any]

ZERO, ONE = TopicPartition("clerk.user-events", 0), TopicPartition("clerk.user-events", 1)
BATCH = tuple(
    make_record(b"{}", partition=partition, offset=offset)
    for partition, offset in ((0, 7), (0, 8), (1, 3), (1, 4), (1, 5))
)


class Consumer:
    """What a batch does to a consumer, noted."""

    def __init__(self, *owned: TopicPartition, error: Exception | None = None) -> None:
        self.owned = set(owned)
        self.error = error
        self.free = asyncio.Event()
        """A commit takes as long as it is not set."""
        self.free.set()
        self.committed: list[Mapping[TopicPartition, int]] = []
        self.sought: list[tuple[TopicPartition, int]] = []

    def assignment(self) -> set[TopicPartition]:
        """Return the partitions that are ours."""
        return self.owned

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Note the offsets, or fail as the test says."""
        if self.error:
            raise self.error
        self.committed.append(offsets)
        await self.free.wait()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Note the place."""
        self.sought.append((partition, offset))


def _around(consumer: Consumer) -> tuple[CommitOffsets, Control, WorkerMetrics]:
    control, metrics = Control(), WorkerMetrics(CollectorRegistry())
    control.find_consumer = lambda: cast("Any", consumer)
    control.offsets = Offsets(control=control, metrics=metrics)
    return _batch(control, metrics), control, metrics


def _batch(
    control: Control, metrics: WorkerMetrics, records: Sequence[Record] = BATCH
) -> CommitOffsets:
    context = cast("ContextRepo", None)
    return CommitOffsets(records, context=context, control=control, metrics=metrics)


async def _settle(control: Control) -> None:
    assert control.offsets
    await control.offsets.settle()


async def _fail(middleware: CommitOffsets, error: Exception) -> None:
    async with middleware:
        raise error


async def test_a_batch_commits_exactly_its_own_offsets() -> None:
    """The next offset of each partition of the batch, and of no other."""
    consumer = Consumer(ZERO, ONE, TopicPartition("clerk.org-events", 0))
    middleware, control, _ = _around(consumer)
    async with middleware:
        pass
    await _settle(control)

    assert consumer.committed == [{ZERO: 9, ONE: 6}]
    assert consumer.sought == []


async def test_partitions_that_were_lost_are_left_alone() -> None:
    """What another worker owns by now is neither committed nor rewound."""
    consumer = Consumer(ONE)
    middleware, control, _ = _around(consumer)
    async with middleware:
        pass
    await _settle(control)

    assert consumer.committed == [{ONE: 6}]


async def test_a_failed_batch_is_rewound_in_every_partition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the rewind the next batch's commit would skip the failed one in silence."""
    monkeypatch.setattr("workers.commit.BUG_PAUSE_S", 0.01)
    consumer = Consumer(ZERO, ONE)
    middleware, _, metrics = _around(consumer)
    with pytest.raises(KeyError):
        await _fail(middleware, KeyError("a bug"))

    assert consumer.committed == []
    assert sorted(consumer.sought) == [(ZERO, 7), (ONE, 3)]
    assert metrics.bugs._value.get() == 1


async def test_an_interrupted_wait_is_no_bug() -> None:
    """A batch that had to let go is rewound without a pause, and nobody is alarmed."""
    consumer = Consumer(ZERO, ONE)
    middleware, _, metrics = _around(consumer)
    await _fail(middleware, InterruptedWaitError())

    assert sorted(consumer.sought) == [(ZERO, 7), (ONE, 3)]
    assert metrics.bugs._value.get() == 0


async def test_a_commit_that_fails_is_no_failure_of_the_batch() -> None:
    """The rows are committed: reading the records again changes nothing."""
    consumer = Consumer(ZERO, ONE, error=CommitFailedError())
    middleware, control, metrics = _around(consumer)
    async with middleware:
        pass
    control.stop()
    await _settle(control)

    assert consumer.sought == []
    assert metrics.committed._value.get() == 0
    assert metrics.uncommitted.labels(control.group)._value.get() == len(BATCH)


async def test_a_commit_that_fails_is_made_up_for() -> None:
    """With what is newer by then, also of partitions that the newer batch knows nothing of."""
    consumer = Consumer(ZERO, ONE, error=CommitFailedError())
    middleware, control, metrics = _around(consumer)
    async with middleware:
        pass
    await asyncio.sleep(0)
    consumer.error = None
    async with _batch(control, metrics, [make_record(b"{}", partition=0, offset=9)]):
        pass
    await _settle(control)

    assert consumer.committed == [{ZERO: 10, ONE: 6}]
    assert metrics.uncommitted.labels(control.group)._value.get() == 0


async def test_the_newest_offsets_wait_behind_the_commit_on_its_way() -> None:
    """One at a time, and in their order: no commit can overtake another."""
    consumer = Consumer(ZERO, ONE)
    consumer.free.clear()
    middleware, control, metrics = _around(consumer)
    async with middleware:
        pass
    await asyncio.sleep(0)
    for offset in (9, 10, 11):
        async with _batch(control, metrics, [make_record(b"{}", partition=0, offset=offset)]):
            pass
        await asyncio.sleep(0)
    before = list(consumer.committed)
    consumer.free.set()
    await _settle(control)

    assert before == [{ZERO: 9, ONE: 6}]
    assert consumer.committed == [{ZERO: 9, ONE: 6}, {ZERO: 12}]


async def test_a_rebalance_waits_for_the_commit() -> None:
    """What was dealt with is not another's to do again."""
    consumer = Consumer(ZERO, ONE)
    consumer.free.clear()
    middleware, control, _ = _around(consumer)
    async with middleware:
        pass
    revoking = asyncio.create_task(control.on_partitions_revoked({ZERO, ONE}))
    await asyncio.sleep(0.01)
    held_back = not revoking.done()
    consumer.free.set()
    await asyncio.wait_for(revoking, 1)

    assert held_back
    assert consumer.committed == [{ZERO: 9, ONE: 6}]


async def test_what_a_rebalance_did_not_wait_for_is_never_committed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The partitions come back from somebody who was further: no offset goes backwards."""
    monkeypatch.setattr("workers.commit.DRAIN_TIMEOUT_S", 0.01)
    consumer = Consumer(ZERO, ONE)
    consumer.free.clear()
    middleware, control, metrics = _around(consumer)
    late = _batch(control, metrics, [make_record(b"{}", partition=0, offset=9)])
    async with middleware:
        pass
    async with late:
        await control.on_partitions_revoked({ZERO, ONE})
        await control.on_partitions_assigned({ZERO, ONE})
    consumer.free.set()
    await _settle(control)

    assert consumer.committed == [{ZERO: 9, ONE: 6}]  # that was on its way before
    assert consumer.sought == []
    assert metrics.uncommitted.labels(control.group)._value.get() == 0


async def test_a_rebalance_waits_for_the_batch_in_flight() -> None:
    """Old and new owner never work on the same partition at once."""
    middleware, control, _ = _around(Consumer(ZERO, ONE))
    async with middleware:
        revoking = asyncio.create_task(control.on_partitions_revoked({ZERO, ONE}))
        await asyncio.sleep(0.01)
        held_back = not revoking.done()
    await asyncio.wait_for(revoking, 1)

    assert held_back


async def test_a_rebalance_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch that hangs must not cost the membership of the group."""
    monkeypatch.setattr("workers.commit.DRAIN_TIMEOUT_S", 0.01)
    _, control, _ = _around(Consumer(ZERO))
    control.begin()

    await asyncio.wait_for(control.on_partitions_revoked({ZERO}), 1)


async def test_waiting_for_the_database_ends_when_partitions_are_taken_away() -> None:
    """A batch that waits in place lets go at once; after the new assignment, waits are waits."""
    control = Control()
    waiting = asyncio.create_task(control.sleep(60))
    await asyncio.sleep(0)
    await control.on_partitions_revoked({ZERO})
    with pytest.raises(InterruptedWaitError):
        await asyncio.wait_for(waiting, 1)
    await control.on_partitions_assigned({ONE})

    await control.sleep(0.01)


async def test_a_stop_ends_waits_for_good() -> None:
    """Once the process is to stop, not even a new assignment makes it wait again."""
    control = Control()
    control.stop()
    await control.on_partitions_assigned({ZERO})

    with pytest.raises(InterruptedWaitError):
        await control.sleep(60)
