"""The composition root of ingest: from settings to an application that serves both its doors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from ingest import receive
from ingest.commands.issue import Times
from ingest.commands.remember import Memory
from ingest.commands.take import DOOR, Door
from ingest.describe import ENDPOINTS, SERVICE
from ingest.publish import Publisher
from ingest.receive import MAX_BODY_BYTES, RECEIVER, Receiver
from ingest.throttle import Throttle
from ingest.verify import build_webhooks
from schema.http.endpoints import add_endpoints
from schema.http.openapi.serve import with_documents
from schema.http.stack import put_stack
from schema.http.tokens.sources import believe_tokens
from schema.http.trace import trace_requests
from schema.kafka.connections import connection_arguments
from schema.kafka.producer import Producer
from schema.ops.metrics import HttpMetrics, IngestMetrics, new_registry
from schema.ops.probes import CheckFailedError, add_probes
from schema.ops.share import share_metrics
from schema.ops.tracing.open import open_tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ingest.settings import IngestSettings
    from schema.ops.tracing.tracer import Tracer

log = structlog.get_logger(__name__)


def build_app(settings: IngestSettings) -> web.Application:
    """Return the application; it starts, unready, also while Kafka is away."""
    registry = new_registry()
    metrics = IngestMetrics(registry)
    producer = Producer(
        connection_arguments(settings),
        client_id="clerkwork-ingest",
        timeout_s=settings.ingest_publish_timeout_ms / 1000,
    )
    tracer = open_tracer(settings, service="clerkwork-ingest")
    publisher = _build_publisher(producer, settings, metrics=metrics, tracer=tracer)
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    trace_requests(app, tracer)
    app[RECEIVER] = _build_receiver(publisher, settings, metrics=metrics)
    app[DOOR] = Door(publisher=publisher, times=Times(), memory=Memory(), metrics=metrics)
    endpoints = ENDPOINTS if settings.has_keys else receive.ENDPOINTS
    add_endpoints(app, with_documents(SERVICE, endpoints))
    if settings.has_keys:
        believe_tokens(app, settings, breaker=metrics.breaker_open.labels("jwks"))
    else:
        log.info("commands_not_served", unset=["CLERK_JWT_KEY", "CLERK_JWKS_URL"])
    put_stack(
        app,
        settings,
        metrics=HttpMetrics(registry),
        limits=settings.ingest_rate_limits,
        hooks=(receive.PATH,),
    )

    async def check_kafka() -> None:
        if not producer.connected:
            raise CheckFailedError("no connection to Kafka")
        if publisher.breaker_open:
            raise CheckFailedError("Kafka does not acknowledge")

    async def run_producer(_app: web.Application) -> AsyncIterator[None]:
        async with producer.running():
            yield

    add_probes(
        app,
        registry=registry,
        live={},
        ready={"kafka": check_kafka},
        share=share_metrics(settings, "ingest", registry),
    )
    app.cleanup_ctx.append(run_producer)
    return app


def _build_receiver(
    publisher: Publisher, settings: IngestSettings, *, metrics: IngestMetrics
) -> Receiver:
    return Receiver(
        webhooks=build_webhooks(
            [secret.get_secret_value() for secret in settings.clerk_webhook_signing_secret]
        ),
        instance_id=settings.clerk_instance_id,
        publisher=publisher,
        throttle=Throttle(forgeries_per_minute=settings.ingest_forgeries_per_minute),
        metrics=metrics,
    )


def _build_publisher(
    producer: Producer, settings: IngestSettings, *, metrics: IngestMetrics, tracer: Tracer | None
) -> Publisher:
    most = settings.ingest_max_in_flight
    if tracer is None:
        return Publisher(producer, max_in_flight=most, metrics=metrics)
    from ingest.trace import TracingPublisher  # noqa: PLC0415  # only where traced

    return TracingPublisher(producer, tracer=tracer, max_in_flight=most, metrics=metrics)
