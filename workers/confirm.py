"""Confirm to Kafka what is dealt with, beside the next batch: a broker takes its time for that.

It writes the offsets of a group together, every 5 ms: group.coordinator.append.linger.ms in
https://kafka.apache.org/documentation/#brokerconfigs
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog
from aiokafka.errors import KafkaError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from aiokafka import TopicPartition

    from schema.ops.metrics import WorkerMetrics
    from workers.commit import Control

log = structlog.get_logger(__name__)

COMMIT_TIMEOUT_S: Final = 10.0
COMMIT_EVERY_S: Final = 0.05
"""At most so often: a commit costs the broker as much as a batch of records."""
RETRY_AFTER_S: Final = 1.0
"""So long after a commit that failed until the next attempt."""
LAST_ATTEMPTS: Final = 2
"""So many while a rebalance or a stop waits."""


@dataclass(kw_only=True)
class _Due:
    """What is dealt with and not confirmed."""

    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    records: int = 0

    def __or__(self, newer: _Due) -> _Due:
        return _Due(offsets=self.offsets | newer.offsets, records=self.records + newer.records)


class Offsets:
    """Commits offsets in their order: one request is on its way, the newest wait behind it.

    What fails is due again, together with what is newer: no commit goes back behind another.
    """

    def __init__(
        self,
        *,
        control: Control,
        metrics: WorkerMetrics,
        hold: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext,
    ) -> None:
        """Take `hold`, which keeps the consumer from being closed."""
        self._control = control
        self._metrics = metrics
        self._uncommitted = metrics.uncommitted.labels(control.group)
        self._hold = hold
        self._due = _Due()
        self._task: asyncio.Task[None] | None = None

    def confirm(self, offsets: Mapping[TopicPartition, int], *, records: int) -> None:
        """Have these committed soon: so many records are dealt with."""
        self._uncommitted.inc(records)
        self._due |= _Due(offsets=dict(offsets), records=records)
        if self._task is None:
            holding = contextlib.ExitStack()
            # Before the batch lets go, which the task is too late for.
            holding.enter_context(self._hold())
            self._task = asyncio.create_task(self._commit_all())
            self._task.add_done_callback(lambda _: holding.close())

    async def settle(self) -> None:
        """Wait until nothing is on its way: all is confirmed, or the last attempt has failed."""
        while self._task:
            await asyncio.wait({self._task})

    def forget(self) -> None:
        """Commit none of it any more: the partitions are another's, who may be further."""
        if self._task:
            self._task.cancel()
            self._task = None
        self._due = _Due()
        self._uncommitted.set(0)

    async def _commit_all(self) -> None:
        mine = asyncio.current_task()
        try:
            failures = 0
            while self._due.offsets and failures < LAST_ATTEMPTS:
                done = await self._commit()
                in_time = await self._control.pause(COMMIT_EVERY_S if done else RETRY_AFTER_S)
                failures = 0 if done or in_time else failures + 1
        finally:
            # Nothing else runs between the last look at what is due and here.
            if self._task is mine:
                self._task = None

    async def _commit(self) -> bool:
        consumer, (due, self._due) = self._control.consumer, (self._due, _Due())
        owned = consumer.assignment() if consumer else ()
        offsets = {place: offset for place, offset in due.offsets.items() if place in owned}
        try:
            if consumer and offsets:
                with self._metrics.commit_seconds.time():
                    async with asyncio.timeout(COMMIT_TIMEOUT_S):
                        await consumer.commit(offsets)
                self._metrics.committed.inc()
        except (KafkaError, TimeoutError) as error:
            # The rows are committed: whoever reads these records again changes nothing.
            log.warning("offset_commit_failed", error=type(error).__name__)
        except Exception:
            self._metrics.bugs.inc()
            log.exception("offset_commit_failed")
        else:
            self._uncommitted.dec(due.records)
            return True
        self._due = due | self._due
        return False
