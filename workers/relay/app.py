"""The composition root of a relay: from settings to one that leads or stands by."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING

import structlog

from schema.kafka.connections import connection_arguments
from schema.ops.metrics import RelayMetrics, new_registry
from schema.ops.tracing.open import open_tracer
from schema.postgres.pools import build_pool
from workers.relay.lead import Leader
from workers.relay.measure import measuring
from workers.relay.probe import serving_probes
from workers.relay.publish import Publisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from schema.ops.tracing.tracer import Tracer
    from workers.relay.publish import Build
    from workers.relay.settings import RelaySettings

log = structlog.get_logger(__name__)


@contextlib.asynccontextmanager
async def running_relay(settings: RelaySettings) -> AsyncIterator[Leader]:
    """Lead or stand by while the context lasts; at its end finish the batch on its way.

    Enters at once, whether Kafka and PostgreSQL are there or not.
    """
    registry = new_registry()
    metrics = RelayMetrics(registry)
    tracer = open_tracer(settings, service="clerkwork-relay")
    leader = Leader(
        settings=settings,
        kafka=connection_arguments(settings),
        metrics=metrics,
        build=_trace(tracer) if tracer else Publisher,
    )
    # A measurement and a probe; the term has a connection of its own.
    pool = build_pool(settings, name="clerkwork-relay-measure", min_size=0, max_size=2)
    async with contextlib.AsyncExitStack() as stack:
        if tracer:
            await stack.enter_async_context(tracer.running())
        await stack.enter_async_context(pool)
        leading = asyncio.create_task(leader.lead())
        stack.push_async_callback(_stop, leader, leading)
        await stack.enter_async_context(
            serving_probes(leader, leading, registry=registry, pool=pool)
        )
        await stack.enter_async_context(measuring(pool, leader, metrics))
        log.info("relay_started", batch_size=settings.relay_batch_size)
        yield leader


async def _stop(leader: Leader, leading: asyncio.Task[None]) -> None:
    leader.stop()
    await leading


def _trace(tracer: Tracer) -> Build:
    from workers.relay.trace import TracingPublisher  # noqa: PLC0415  # only where traced

    return partial(TracingPublisher, tracer=tracer)
