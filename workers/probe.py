"""Serve a worker's probes and metrics, and the description of the topics: it has no other port."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from aiohttp import web

from schema.ops.probes import CheckFailedError, add_probes, serving
from schema.ops.share import share_metrics
from workers.consume import find_trouble
from workers.describe.serve import add_description
from workers.progress import Watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from prometheus_client import CollectorRegistry

    from workers.consume import Consumer
    from workers.settings import WorkerSettings
    from workers.subscribe import Subscription


@contextlib.asynccontextmanager
async def serving_probes(
    settings: WorkerSettings,
    *,
    registry: CollectorRegistry,
    consumer: Consumer,
    subscriptions: Sequence[Subscription],
) -> AsyncIterator[None]:
    """Serve `/livez`, `/readyz`, `/metrics` and `/asyncapi` while the context lasts."""

    async def check_loop() -> None:
        if any(subscription.ended for subscription in subscriptions):
            raise CheckFailedError("the consumer's loop has ended")

    async def check_kafka() -> None:
        running = all(subscription.subscriber.running for subscription in subscriptions)
        if not (consumer.producer.connected and running):
            raise CheckFailedError("not consuming yet")

    async def check_database() -> None:
        if consumer.waiting.is_set():
            raise CheckFailedError("a batch waits in place")
        if trouble := await find_trouble(consumer.pool):
            raise CheckFailedError(f"PostgreSQL does not answer ({trouble})")

    watch = Watch([each.control for each in subscriptions], settings)
    app = web.Application()
    add_probes(
        app,
        registry=registry,
        live={
            "loop": check_loop,
            "progress": watch.check_turning,
            "commits": watch.check_commits,
        },
        ready={"kafka": check_kafka, "postgres": check_database},
        share=share_metrics(settings, "worker", registry),
    )
    add_description(app)
    async with serving(
        app,
        host=settings.worker_metrics_host,
        port=settings.worker_metrics_port,
        reuse_port=settings.metrics_share is not None,
    ):
        yield
