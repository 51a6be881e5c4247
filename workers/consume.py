"""Consume one batch: decode each, apply together, park the dead; wait in place for `not now`."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from schema.kafka.headers import Failure
from workers.apply import DEFAULT, Policy, apply
from workers.decode import decode
from workers.park import park
from workers.retry import NotNowError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg
    from aiokafka import ConsumerRecord

    from schema.kafka.producer import Producer
    from schema.ops.metrics import WorkerMetrics
    from workers.commit import Control
    from workers.decode import Event
    from workers.record import Applied

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Takes batches from FastStream and does not return before they are dealt with."""

    pool: asyncpg.Pool[asyncpg.Record]
    producer: Producer
    control: Control
    metrics: WorkerMetrics
    policy: Policy = DEFAULT
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while a batch waits in place; readiness is off then."""

    async def consume(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Deal with one batch. The offsets are committed when this returns.

        Raises InterruptedWaitError when it had to stop waiting; nothing is lost then, the batch
        comes again, here or at the partitions' next owner.
        """
        events = [decode(record) for record in records]
        self.metrics.batch_events.observe(len(events))
        # No give-up: PostgreSQL may be away for a day, the records keep in Kafka.
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(NotNowError),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            sleep=self.control.sleep,
            before_sleep=self._note_wait,
        )
        try:
            applied: list[Applied] = await attempts(self._attempt, events)
        finally:
            self.waiting.clear()
            self.metrics.waiting.set(0)
        self._count(applied)

    async def _attempt(self, events: Sequence[Event]) -> list[Applied]:
        """Apply, then park: a letter is written once its ledger row is, and before the offset."""
        with self.metrics.apply_seconds.time():
            applied = await apply(self.pool, events, self.policy)
        dead = [each for each in applied if each.outcome == "dead"]
        await asyncio.gather(*(self._park(each) for each in dead))
        return applied

    async def _park(self, dead: Applied) -> None:
        unreadable = dead.event.reason is not None
        failure = Failure(
            error_class="poison.decode" if unreadable else "poison.data",
            error_code="UNREADABLE_EVENT" if unreadable else "REFUSED_VALUE",
            message=dead.reason or "",
        )
        await park(self.producer, dead.event.record, failure)
        log.warning(
            "event_dead",
            event_id=dead.event.event_id,
            reason=dead.reason,
            topic=dead.event.record.topic,
            partition=dead.event.record.partition,
            offset=dead.event.record.offset,
        )

    def _note_wait(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.metrics.waits.inc()
        self.metrics.waiting.set(1)
        self.waiting.set()
        log.warning("waiting_in_place", error=str(error), attempt=state.attempt_number)

    def _count(self, applied: Sequence[Applied]) -> None:
        now_s = time.time()
        for each in applied:
            self.metrics.events.labels(each.outcome).inc()
            self.metrics.freshness_seconds.observe(
                max(now_s - each.event.record.timestamp / 1000, 0)
            )
        log.info("batch_applied", events=len(applied))
