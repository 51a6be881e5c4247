"""Commit offsets after the work, and hold a rebalance back until the work is done.

FastStream's own acknowledgement commits every position of the assignment, also of records that
failed; here each batch has exactly its own offsets committed, or rewinds to its first.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from faststream import BaseMiddleware

from schema.kafka.topics import GROUP
from workers.progress import Progress
from workers.turn_back import SkippedError, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from aiokafka import AIOKafkaConsumer, ConsumerRecord
    from faststream import ContextRepo

    from schema.ops.metrics import WorkerMetrics
    from workers.confirm import Offsets

    Records = Sequence[ConsumerRecord[Any, Any]]

log = structlog.get_logger(__name__)

DRAIN_TIMEOUT_S: Final = 20.0
"""How long a rebalance waits for the batch in flight; less than the rebalance timeout."""
REBALANCE_TIMEOUT_MS: Final = 30_000
HURRY_AFTER_S: Final = 10.0
"""Once a rebalance or a stop has waited so long, no further batch is begun: those come again."""
BUG_PAUSE_S: Final = 5.0
"""After an error that nobody foresaw, the line stops this long before the same batch again."""


class InterruptedWaitError(Exception):
    """The wait was cut short: the partitions are being taken away, or the process is to stop."""


_FORESEEN: Final = (InterruptedWaitError, SkippedError, asyncio.CancelledError)


class Control(ConsumerRebalanceListener):
    """What the loop, the rebalance and the shutdown tell each other."""

    def __init__(self, group: str = GROUP) -> None:
        self.group = group
        """The consumer group."""
        self.find_consumer: Callable[[], AIOKafkaConsumer | None] = lambda: None
        """Finds the consumer, which FastStream builds only when it starts."""
        self.offsets: Offsets | None = None
        """Commits what is dealt with."""
        self.progress = Progress()
        """Knows when the loop has turned last."""
        self.turns = Turns()
        """Knows where it has turned back to."""
        self.revocations = 0
        """How often partitions were taken away."""
        self._interrupted = asyncio.Event()
        self._interrupted_s = 0.0
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The consumer, once FastStream has built it."""
        return self.find_consumer()

    def begin(self) -> None:
        """Note that a batch is in flight."""
        self.progress.turn()
        self._idle.clear()

    def end(self) -> None:
        """Note that no batch is in flight."""
        self.progress.turn()
        self._idle.set()

    @property
    def unconfirmed_s(self) -> float:
        """For how long something has waited for a commit that succeeds."""
        return self.offsets.unconfirmed_s if self.offsets else 0.0

    @property
    def hurried(self) -> bool:
        """Whether somebody has waited for the batches in flight for too long."""
        waited_s = time.monotonic() - self._interrupted_s
        return self._interrupted.is_set() and waited_s > HURRY_AFTER_S

    async def sleep(self, seconds: float) -> None:
        """Wait; raises InterruptedWaitError at once when there is no more reason to."""
        self.progress.turn(rest_s=seconds)
        if not await self.pause(seconds):
            raise InterruptedWaitError

    async def pause(self, seconds: float) -> bool:
        """Wait; return False at once when there is no more reason to."""
        try:
            async with asyncio.timeout(seconds):
                await self._interrupted.wait()
        except TimeoutError:
            return True
        return False

    def stop(self) -> None:
        """End every wait for good: the process is to stop."""
        self._stopping = True
        self._interrupt()

    async def on_partitions_revoked(  # pyright: ignore[reportIncompatibleMethodOverride]  # awaited
        self, revoked: set[TopicPartition]
    ) -> None:
        """Hold the rebalance until the batch in flight is done and its offsets are committed.

        aiokafka rebalances beside the loop, and heartbeats go on: without this, old and new owner
        would both work on the same partition. What is not committed when it has waited too long
        never is: the new owner may be further.
        """
        self._interrupt()
        try:
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                await self._idle.wait()
                if self.offsets:
                    await self.offsets.settle()
        except TimeoutError:
            log.warning("drain_timed_out", partitions=len(revoked))
        finally:
            self.revocations += 1
            if self.offsets:
                self.offsets.forget()

    async def on_partitions_assigned(  # pyright: ignore[reportIncompatibleMethodOverride]  # awaited
        self, assigned: set[TopicPartition]
    ) -> None:
        """Go on. Never waits: no heartbeat is sent while this runs."""
        if not self._stopping:
            self._interrupted.clear()
        log.info("partitions_assigned", partitions=len(assigned))

    def _interrupt(self) -> None:
        if not self._interrupted.is_set():
            self._interrupted_s = time.monotonic()
        self._interrupted.set()


def first_offsets(records: Records) -> Mapping[TopicPartition, int]:
    """Return where each partition of a batch begins."""
    first: dict[TopicPartition, int] = {}
    for record in records:
        first.setdefault(TopicPartition(record.topic, record.partition), record.offset)
    return first


def next_offsets(records: Records) -> Mapping[TopicPartition, int]:
    """Return what each partition of a batch goes on with."""
    last = {(record.topic, record.partition): record.offset for record in records}
    return {TopicPartition(*place): offset + 1 for place, offset in last.items()}


class CommitOffsets(BaseMiddleware[Any, Any]):
    """FastStream middleware around each batch: have it committed when it is done, else rewind."""

    def __init__(
        self, msg: Records, /, *, context: ContextRepo, control: Control, metrics: WorkerMetrics
    ) -> None:
        super().__init__(msg, context=context)
        self.control = control
        self.metrics = metrics
        self.revocations = control.revocations

    async def on_receive(self) -> None:
        """Note that a batch is in flight."""
        self.control.begin()

    async def after_processed(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> bool:
        """Confirm or rewind exactly this batch's offsets, of the partitions still ours.

        Not those of a batch that took longer than the rebalance waited for it: its partitions may
        have come back from another, who was further.
        """
        del exc_type, exc_tb
        try:
            current = self.revocations == self.control.revocations
            if exc_val is None and self.control.offsets and current:
                self.control.offsets.confirm(next_offsets(self.msg), records=len(self.msg))
            elif exc_val is not None:
                if current:
                    self._rewind(exc_val)
                if not isinstance(exc_val, _FORESEEN):
                    await self._pause_after_bug(exc_val)
        finally:
            self.control.end()
        return isinstance(exc_val, InterruptedWaitError | SkippedError)

    def _rewind(self, error: BaseException) -> None:
        consumer = self.control.consumer
        if consumer is None:
            return
        owned = consumer.assignment()
        for partition, offset in first_offsets(self.msg).items():
            if partition in owned:
                consumer.seek(partition, offset)
        if isinstance(error, SkippedError):
            self.control.turns.turn_back(consumer, error.gaps)

    async def _pause_after_bug(self, error: BaseException) -> None:
        self.metrics.bugs.inc()
        log.error("batch_failed", exc_info=error)
        await self.control.pause(BUG_PAUSE_S)
