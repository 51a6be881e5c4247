"""Consume one batch: decode each, apply together, put aside what failed; wait for `not now`."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from schema.kafka.headers import Failure
from schema.ops.tls import name_failure
from schema.ops.tracing.parents import name_trace
from workers.advance import Gap, advance_offsets
from workers.apply import DEFAULT, Policy, apply
from workers.budget import Budget
from workers.classify import ConflictError, NotNowError, UnreachableError
from workers.commit import InterruptedWaitError
from workers.decode import decode
from workers.halt import Breaker, LineStoppedError, write_stops
from workers.park import due_after, park, postpone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiokafka import ConsumerRecord

    from schema.kafka.producer import Producer
    from schema.ops.metrics import WorkerMetrics
    from workers.commit import Control
    from workers.decode import Event
    from workers.record import Applied
    from workers.trace import Tracing

    Record = ConsumerRecord[Any, Any]
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger(__name__)

CONFLICTS: Final = 5
"""So often a batch that met another transaction is tried again at once."""
LANES: Final = 3
"""So many batches of different partitions are applied at once, where more than one is waiting:
while one is encoded, PostgreSQL works on another."""
YIELD_EVERY: Final = 32
"""Events that are decoded in a row: about a third of a millisecond."""
LOOK_EVERY_S: Final = 0.25
"""So often a wait for a PostgreSQL that is away looks whether it is back."""
_CODES: Final = {
    "poison.decode": "UNREADABLE_EVENT",
    "poison.data": "REFUSED_VALUE",
    "bug": "UNEXPECTED_ERROR",
}
_UNTRACED: Final = contextlib.nullcontext()
_backoff: Final = wait_random_exponential(multiplier=0.2, max=5)


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """Takes batches from FastStream and does not return before they are dealt with."""

    pool: asyncpg.Pool[asyncpg.Record]
    producer: Producer
    control: Control
    metrics: WorkerMetrics
    policy: Policy = DEFAULT
    breaker: Breaker = field(default_factory=Breaker)
    budget: Budget = field(default_factory=Budget)
    batch_size: int = 500
    """How many events are applied in one transaction at most."""
    in_order: bool = True
    """Whether batches are what a partition holds, one after the other: then none may be skipped."""
    tracing: Tracing | None = None
    """Traces batches and events, where somebody collects that."""
    waiters: set[int] = field(default_factory=set)
    """The batches that wait in place, by their identities."""
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while a batch waits in place; readiness is off then."""
    unreachable: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it waits for a PostgreSQL that does not answer at all."""
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while too many rejects have stopped the line."""

    async def consume(self, records: Sequence[Record]) -> None:
        """Deal with these records, batch by batch. The offsets are committed when this returns.

        Each partition's are applied one after the other. Raises InterruptedWaitError when it had
        to stop waiting, SkippedError when others are to come before; nothing is lost then, all of
        them come again, here or at the partitions' next owner.
        """
        lanes = part(records, LANES) if len(records) > self.batch_size else [records]
        # None is left behind at work: the partitions may be another's when this returns.
        done = await asyncio.gather(*map(self._consume_all, lanes), return_exceptions=True)
        errors = [each for each in done if each is not None]
        bugs = [error for error in errors if not isinstance(error, InterruptedWaitError)]
        for error in bugs or errors:
            raise error

    async def _consume_all(self, records: Sequence[Record]) -> None:
        """Decode each batch while PostgreSQL works on the one before."""
        first, *others = _split(records, self.batch_size)
        events = await self._decode(first)
        for batch in others:
            if self.control.hurried:
                raise InterruptedWaitError
            _, events = await asyncio.gather(self._consume(events), self._decode(batch))
        await self._consume(events)

    async def _decode(self, records: Sequence[Record]) -> list[Event]:
        """Decode a batch, and let what PostgreSQL answers meanwhile to the one before go first."""
        events: list[Event] = []
        with self.budget.spend("decode"):
            for some in _split(records, YIELD_EVERY):
                events += [decode(record) for record in some]
                await asyncio.sleep(0)
        return events

    async def _consume(self, events: Sequence[Event]) -> None:
        if self.tracing is None:
            await self._deal_with(events)
            return
        with self.tracing.batch(events, group=self.control.group) as traced:
            traced.tell(await self._deal_with(traced.events))

    async def _deal_with(self, events: Sequence[Event]) -> list[Applied]:
        self.metrics.batch_events.observe(len(events))
        # No give-up: PostgreSQL may be away for a day, the records keep in Kafka.
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(NotNowError),
            wait=_wait,
            before_sleep=self._note_wait,
            sleep=self._sleep,
        )
        try:
            applied: list[Applied] = await attempts(self._attempt, events)
        finally:
            self._end_wait(events)
        self._count(applied)
        return applied

    async def _attempt(self, events: Sequence[Event]) -> list[Applied]:
        """Apply, then put aside: once the ledger has it, and before the offset is committed."""
        gaps: list[Gap] = []
        self.control.progress.turn()

        async def before_commit(connection: Connection, applied: Sequence[Applied]) -> None:
            if self.in_order:
                gaps[:] = await advance_offsets(connection, [event.record for event in events])
                self.control.turns.require_tried(gaps)
            await self.breaker.judge(connection, applied)

        try:
            tracing = self.tracing.applying(events) if self.tracing else _UNTRACED
            with self.metrics.apply_seconds.time(), self.budget.spend("apply"), tracing:
                applied = await apply(self.pool, events, self.policy, before_commit)
        except LineStoppedError as stopped:
            await self._stop_line(stopped)
            raise
        with self.budget.spend("park"):
            await asyncio.gather(*(self._put_aside(each) for each in applied if each.error_class))
        self._check_order(events, gaps)
        return applied

    async def _stop_line(self, stopped: LineStoppedError) -> None:
        if not self.stopped.is_set():
            self.stopped.set()
            self.metrics.line_stopped.inc()
        for stop in stopped.stops:
            log.error(
                "line_stopped",
                topic=stop.topic,
                partition=stop.partition,
                rejects=stop.rejects,
                events=stop.events,
                reason=stop.reason,
            )
        await write_stops(self.pool, stopped.stops)

    async def _put_aside(self, each: Applied) -> None:
        """Keep the record of an event that failed where it can be tried again or looked at."""
        event, attempt = each.event, each.event.attempts + 1
        error_class = each.error_class or "bug"
        again = each.outcome == "retrying"
        failure = Failure(
            error_class=error_class,
            error_code=_CODES[error_class],
            message=each.reason or "",
            attempt=attempt,
            retry_at=due_after(attempt) if again else None,
        )
        await (postpone if again else park)(self.producer, event.record, failure)
        log.warning(
            "event_postponed" if again else "event_dead",
            event_id=event.event_id,
            reason=each.reason,
            attempt=attempt,
            topic=event.record.topic,
            partition=event.record.partition,
            offset=event.record.offset,
            **name_trace(event.traceparent),
        )

    def _check_order(self, events: Sequence[Event], gaps: Sequence[Gap]) -> None:
        """Count what was looked at and what should not be: promises, not outcomes."""
        if not self.in_order:
            return
        self.metrics.offsets_checked.inc(len(events))
        for gap in gaps:
            self.metrics.offsets_skipped.inc(gap.skipped)
            log.error("offsets_skipped", **gap._asdict())
        last: dict[tuple[str, int], int] = {}
        for event in events:
            place = event.record.topic, event.record.partition
            if event.record.offset <= last.get(place, -1):
                self.metrics.order_violations.inc()
                log.error("order_violated", topic=place[0], partition=place[1])
            last[place] = event.record.offset
        self.metrics.order_checked.inc(len(events))

    async def _sleep(self, seconds: float) -> None:
        """Wait so long, or until PostgreSQL answers again. Raises InterruptedWaitError."""
        end_s = time.monotonic() + seconds
        with self.budget.spend("wait"):
            while (left_s := end_s - time.monotonic()) > 0:
                await self.control.sleep(min(left_s, LOOK_EVERY_S))
                if self.unreachable.is_set() and not await find_trouble(self.pool):
                    return

    def _note_wait(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        kind = error.kind if isinstance(error, NotNowError) else "outage"
        self.metrics.waits.labels(kind).inc()
        self.waiters.add(id(state.args[0]))
        if not self.waiting.is_set():
            self.waiting.set()
            self.metrics.waiting.inc()
        if isinstance(error, UnreachableError):
            self.unreachable.set()
        else:
            self.unreachable.clear()
        log.warning("waiting_in_place", kind=kind, error=str(error), attempt=state.attempt_number)

    def _end_wait(self, events: Sequence[Event]) -> None:
        self.waiters.discard(id(events))
        if self.waiters:
            return
        for state, gauge in (
            (self.waiting, self.metrics.waiting),
            (self.stopped, self.metrics.line_stopped),
        ):
            if state.is_set():
                state.clear()
                gauge.dec()

    def _count(self, applied: Sequence[Applied]) -> None:
        now_s, observe = time.time(), self.metrics.freshness_seconds.observe
        for outcome, number in Counter(each.outcome for each in applied).items():
            self.metrics.events.labels(outcome).inc(number)
        for each in applied:
            observe(max(now_s - each.event.record.timestamp / 1000, 0))
        log.info("batch_applied", events=len(applied))


def part(records: Sequence[Record], lanes: int) -> list[list[Record]]:
    """Share records out to so many lanes at most, each partition to one; none is empty."""
    by_place = defaultdict[tuple[str, int], list["Record"]](list)
    for record in records:
        by_place[record.topic, record.partition].append(record)
    shared: list[list[Record]] = [[] for _ in range(lanes)]
    for each in sorted(by_place.values(), key=len, reverse=True):
        min(shared, key=len).extend(each)
    return [lane for lane in shared if lane]


def _split(records: Sequence[Record], size: int) -> list[Sequence[Record]]:
    return [records[start : start + size] for start in range(0, len(records), size)]


async def find_trouble(pool: asyncpg.Pool[asyncpg.Record]) -> str | None:
    """Return why PostgreSQL does not answer, None where it does; takes a second at most."""
    try:
        async with asyncio.timeout(1.0):
            await pool.fetchval("SELECT 1")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        return name_failure(error)
    return None


def _wait(state: RetryCallState) -> float:
    """Return how long to wait, in seconds: hardly after a conflict, else ever longer, to 5 s."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ConflictError) and state.attempt_number <= CONFLICTS:
        return random.uniform(0, 0.05)  # noqa: S311  # not for secrets
    return _backoff(state)
