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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from faststream import ContextRepo

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

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Note the place."""
        self.sought.append((partition, offset))


def _around(consumer: Consumer) -> tuple[CommitOffsets, Control, WorkerMetrics]:
    control, metrics = Control(), WorkerMetrics(CollectorRegistry())
    control.find_consumer = lambda: cast("Any", consumer)
    context = cast("ContextRepo", None)
    return CommitOffsets(BATCH, context=context, control=control, metrics=metrics), control, metrics


async def _fail(middleware: CommitOffsets, error: Exception) -> None:
    async with middleware:
        raise error


async def test_a_batch_commits_exactly_its_own_offsets() -> None:
    """The next offset of each partition of the batch, and of no other."""
    consumer = Consumer(ZERO, ONE, TopicPartition("clerk.org-events", 0))
    middleware, _, _ = _around(consumer)
    async with middleware:
        pass

    assert consumer.committed == [{ZERO: 9, ONE: 6}]
    assert consumer.sought == []


async def test_partitions_that_were_lost_are_left_alone() -> None:
    """What another worker owns by now is neither committed nor rewound."""
    consumer = Consumer(ONE)
    middleware, _, _ = _around(consumer)
    async with middleware:
        pass

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
    middleware, _, metrics = _around(consumer)
    async with middleware:
        pass

    assert consumer.sought == []
    assert metrics.committed._value.get() == 0


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
