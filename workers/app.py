"""The composition root of the workers: from settings to consumers that run until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import structlog

from schema.kafka.connections import connection_arguments
from schema.kafka.producer import Producer
from schema.kafka.topics import (
    DEAD_LETTER_TOPICS,
    DESK_GROUP,
    GROUP,
    RETRY_DELAYS,
    SOURCES,
    retry_group,
    retry_topic,
)
from schema.ops.metrics import WorkerMetrics, new_registry
from schema.ops.tracing.open import open_tracer
from schema.postgres.pools import build_pool
from workers.apply import Policy
from workers.budget import Budget
from workers.commit import Control
from workers.consume import LANES, Consumer
from workers.count import counting
from workers.halt import Breaker, Limits
from workers.index import Indexer
from workers.measure import Meter
from workers.probe import serving_probes
from workers.retry import Retrier
from workers.subscribe import Feed, Subscription, subscribe

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import asyncpg

    from workers.settings import WorkerSettings
    from workers.trace import Tracing

log = structlog.get_logger(__name__)

BATCHES_AHEAD: Final = 12
"""So many batches are read, and their offsets committed, at once: before the first of them and
after the last PostgreSQL waits, for decoding, for Kafka's 5 ms and for the longest lane."""


@contextlib.asynccontextmanager
async def running_worker(settings: WorkerSettings) -> AsyncIterator[None]:
    """Consume while the context lasts; at its end finish the batches in flight and close.

    Enters when Kafka is there; PostgreSQL may be away.
    """
    registry = new_registry()
    metrics = WorkerMetrics(registry)
    pool = _build_pool(settings)
    producer = Producer(
        connection_arguments(settings), client_id="clerkwork-worker", timeout_s=10.0
    )
    tracing = _open_tracing(settings)
    meter = Meter(control := Control(), metrics)
    consumer = Consumer(
        pool=pool,
        producer=producer,
        control=control,
        metrics=metrics,
        policy=_policy(settings, traced=tracing is not None),
        breaker=_breaker(settings),
        batch_size=settings.worker_batch_size,
        tracing=tracing,
        budget=meter.budget,
    )
    indexer = Indexer(pool=pool, control=Control(DESK_GROUP), metrics=metrics)
    feeds = [_applying(consumer, meter), _indexing(indexer)]
    feeds += [_retrying(consumer, tier, _breaker(settings)) for tier in RETRY_DELAYS]
    subscriptions = [subscribe(settings, feed, metrics=metrics) for feed in feeds]
    async with contextlib.AsyncExitStack() as stack:
        if tracing:
            await stack.enter_async_context(tracing.running())
        await stack.enter_async_context(pool)
        await stack.enter_async_context(producer.running())
        await stack.enter_async_context(
            serving_probes(
                settings, registry=registry, consumer=consumer, subscriptions=subscriptions
            )
        )
        await stack.enter_async_context(counting(pool, metrics))
        await stack.enter_async_context(meter.measuring())
        await producer.wait_connected()
        stack.push_async_callback(_stop, subscriptions)
        await asyncio.gather(*(subscription.start() for subscription in subscriptions))
        log.info("worker_started", topics=[topic.name for topic in SOURCES], group=GROUP)
        yield


def _build_pool(settings: WorkerSettings) -> asyncpg.Pool[asyncpg.Record]:
    # One connection each for a lane, a retry tier, letters, a probe and a count: none waits.
    return build_pool(
        settings,
        name="clerkwork-worker",
        min_size=0,
        max_size=LANES + 6,
        resets=False,  # transactions, and nothing that outlives them
    )


def _open_tracing(settings: WorkerSettings) -> Tracing | None:
    tracer = open_tracer(settings, service="clerkwork-worker")
    if tracer is None:
        return None
    from workers.trace import Tracing  # noqa: PLC0415  # only where traced

    return Tracing(tracer)


def _applying(consumer: Consumer, meter: Meter) -> Feed:
    return Feed(
        topics=SOURCES,
        step=consumer.consume,
        control=consumer.control,
        batches=BATCHES_AHEAD,
        meter=meter,
    )


def _retrying(consumer: Consumer, tier: str, breaker: Breaker) -> Feed:
    """Return the feed of a tier: a record that is not due keeps only its tier waiting."""
    again = replace(
        consumer,
        control=Control(retry_group(tier)),
        breaker=breaker,
        budget=Budget(),
        in_order=False,
        waiters=set(),
        waiting=asyncio.Event(),
        unreachable=asyncio.Event(),
        stopped=asyncio.Event(),
    )
    return Feed(
        topics=[retry_topic(source, tier) for source in SOURCES],
        step=Retrier(consumer=again).consume,
        control=again.control,
    )


async def _stop(subscriptions: Sequence[Subscription]) -> None:
    await asyncio.gather(*(subscription.stop() for subscription in subscriptions))


def _indexing(indexer: Indexer) -> Feed:
    return Feed(topics=DEAD_LETTER_TOPICS, step=indexer.consume, control=indexer.control)


def _policy(settings: WorkerSettings, *, traced: bool) -> Policy:
    return Policy(
        erase_after=settings.clerkwork_erase_after,
        history_limit=settings.worker_history_limit,
        traced=traced,
    )


def _breaker(settings: WorkerSettings) -> Breaker:
    limits = Limits(run=settings.worker_reject_run, ratio=settings.worker_reject_ratio)
    return Breaker(limits=limits)
