"""Fly on a schedule, and tell Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import time
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from deploy.canary.fly import Flight, Route, fly
from deploy.canary.listen import Listener
from deploy.canary.settings import CanarySettings
from deploy.post import opened_session
from schema.kafka.connections import connection_arguments
from schema.ops.logs import configure_logs
from schema.ops.metrics import CANARY_STATIONS, CanaryMetrics, new_registry
from schema.ops.probes import CheckFailedError, add_probes, serving
from schema.ops.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry
    from rich.console import Console

log = structlog.get_logger(__name__)


def run_canary(console: Console, *, once: bool) -> int:
    """Fly until told to stop and return 0, or fly once, say how long it took, 1 when it was lost.

    Raises SystemExit when the environment is not valid.
    """
    settings = read_settings(CanarySettings)
    configure_logs(settings)
    if not once:
        asyncio.run(_fly_until_stopped(settings))
        return 0
    flight = asyncio.run(fly_once(settings))
    console.print(describe(flight), markup=False, highlight=False)
    return 1 if flight.lost_at else 0


def describe(flight: Flight) -> str:
    """Return a flight in a line."""
    stations = {"accepted": flight.accepted_s, "topic": flight.topic_s, "API": flight.api_s}
    return ", ".join(
        f"{name} {'never' if seconds is None else f'{seconds * 1000:.0f} ms'}"
        for name, seconds in stations.items()
    )


async def fly_once(settings: CanarySettings) -> Flight:
    """Fly once, as soon as the change topic can be listened to; lost when that takes too long."""
    listener = Listener(connection_arguments(settings))
    async with listener.running(), opened_session() as session:
        try:
            async with asyncio.timeout(settings.canary_timeout_s):
                await listener.listening.wait()
        except TimeoutError:
            return Flight()
        number = time.time_ns() // 1_000_000_000
        return await fly(number, route_of(settings), session=session, listener=listener)


def route_of(settings: CanarySettings) -> Route:
    """Return where the canary of these settings flies."""
    return Route(
        ingest_url=str(settings.canary_ingest_url),
        api_url=str(settings.canary_api_url).rstrip("/"),
        secret=settings.clerk_webhook_signing_secret[0].get_secret_value(),
        instance_id=settings.clerk_instance_id,
        name=settings.canary_name,
        timeout_s=settings.canary_timeout_s,
    )


async def _fly_until_stopped(settings: CanarySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with flying(settings):
        await stop.wait()


@contextlib.asynccontextmanager
async def flying(settings: CanarySettings) -> AsyncIterator[None]:
    """Fly again and again while the context lasts, and serve metrics and probes."""
    registry = new_registry()
    listener = Listener(connection_arguments(settings))
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(_serving(settings, registry, listener))
        await stack.enter_async_context(listener.running())
        flights = asyncio.create_task(_fly_on(settings, listener, CanaryMetrics(registry)))
        stack.push_async_callback(_end, flights)
        yield


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _fly_on(settings: CanarySettings, listener: Listener, metrics: CanaryMetrics) -> None:
    route, every_s = route_of(settings), settings.canary_every_s
    loop = asyncio.get_running_loop()
    async with opened_session() as session:
        for number in itertools.count():
            next_at = loop.time() + every_s
            # Deaf, it flies all the same: that it is not heard is what must be told.
            note(await fly(number, route, session=session, listener=listener), metrics)
            await asyncio.sleep(next_at - loop.time())


def note(flight: Flight, metrics: CanaryMetrics) -> None:
    """Count a flight, and tell where it was lost."""
    metrics.flights.inc()
    for station, seconds in zip(
        CANARY_STATIONS, (flight.accepted_s, flight.topic_s, flight.api_s), strict=True
    ):
        if seconds is not None:
            metrics.seconds.labels(station).observe(seconds)
            metrics.seen.labels(station).set_to_current_time()
    if flight.lost_at:
        metrics.lost.labels(flight.lost_at).inc()
        log.warning("canary_lost", at=flight.lost_at)


@contextlib.asynccontextmanager
async def _serving(
    settings: CanarySettings, registry: CollectorRegistry, listener: Listener
) -> AsyncIterator[None]:
    async def check_listener() -> None:
        if not listener.listening.is_set():
            raise CheckFailedError("the change topic cannot be listened to")

    app = web.Application()
    add_probes(app, registry=registry, live={}, ready={"kafka": check_listener})
    async with serving(app, host=settings.canary_metrics_host, port=settings.canary_metrics_port):
        yield
