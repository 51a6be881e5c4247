"""The API's composition root: settings in, an application out."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from api.admit import CALLERS, GATE, Gate, read_callers
from api.bound import Places
from api.cache.open import open_cache
from api.database import (
    DRIVER_ERRORS,
    POOL,
    Connections,
    Database,
    DatabaseUnavailableError,
    Limits,
    check_database,
)
from api.describe import ENDPOINTS, SERVICE
from api.follow import Tail
from api.read import PLANNER
from api.read.profiles import PROFILES, read_profiles
from api.stream import STREAMS, StreamLimits, Streams
from api.together import Together
from api.wait import WAITS, Waits
from api.welcome import await_newcomers
from schema.http.endpoints import add_endpoints
from schema.http.openapi.serve import with_documents
from schema.http.stack import put_stack
from schema.http.tokens.keys import KeysUnavailableError
from schema.http.tokens.sources import KEYS, believe_tokens
from schema.http.trace import trace_requests
from schema.ops.metrics import ApiMetrics, HttpMetrics, new_registry
from schema.ops.probes import CheckFailedError, add_probes
from schema.ops.share import share_metrics
from schema.ops.tls import name_failure
from schema.ops.tracing.open import open_tracer
from schema.postgres.pools import build_pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from prometheus_client import CollectorRegistry

    from api.settings import ApiSettings
    from schema.ops.probes import Check
    from schema.ops.tracing.tracer import Tracer

log = structlog.get_logger(__name__)

WAITS_PER_USER: Final = 20
"""More requests of one caller do not wait for versions at once."""

CLOSE_S: Final = 5.0
"""After this long, connections that do not close are dropped."""


def build_app(settings: ApiSettings) -> web.Application:
    """Return the API, not started yet. It starts, and says it is not ready, without PostgreSQL."""
    registry = new_registry()
    metrics = ApiMetrics(registry)
    app = web.Application(client_max_size=64 * 1024)  # reads need no body at all
    tracer = open_tracer(settings, service="clerkwork-api")
    trace_requests(app, tracer)
    app.cleanup_ctx.append(_open_pool(settings, metrics, tracer))
    believe_tokens(app, settings, breaker=metrics.breaker_open.labels("jwks"))
    app.cleanup_ctx.append(_open_tail(settings, metrics, registry))
    if settings.clerk_secret_key:
        app.cleanup_ctx.append(await_newcomers(settings, metrics))
    app.on_shutdown.append(_end_streams)
    add_endpoints(app, with_documents(SERVICE, ENDPOINTS))
    put_stack(app, settings, metrics=HttpMetrics(registry), limits=settings.api_rate_limits)
    app[GATE] = Gate(ttl_s=settings.api_standing_ttl_s, metrics=metrics)
    add_probes(
        app,
        registry=registry,
        live={},  # that the event loop answers is all there is to live
        ready=_ready_checks(app),
        share=share_metrics(settings, "api", registry),
    )
    return app


def _open_pool(
    settings: ApiSettings, metrics: ApiMetrics, tracer: Tracer | None
) -> Callable[[web.Application], AsyncIterator[None]]:
    limits = Limits(
        acquire_s=settings.api_acquire_s,
        query_s=settings.api_query_s,
        slow_s=settings.api_slow_query_ms / 1000,
    )

    async def pool_context(app: web.Application) -> AsyncIterator[None]:
        pool = await _connect(settings)
        database = app[POOL] = _trace(pool, tracer, limits=limits, metrics=metrics)
        app[CALLERS] = Together(partial(read_callers, database))
        app[PROFILES] = Together(partial(read_profiles, database))
        yield
        await _close_pool(pool)

    return pool_context


def _trace(
    pool: Connections, tracer: Tracer | None, *, limits: Limits, metrics: ApiMetrics
) -> Database:
    if tracer is None:
        return Database(pool, limits=limits, metrics=metrics)
    from api.trace import TracingDatabase  # noqa: PLC0415  # only where traced

    return TracingDatabase(pool, tracer=tracer, limits=limits, metrics=metrics)


async def _connect(settings: ApiSettings) -> Connections:
    # Connections are opened by the requests that need them, so that neither the start nor the
    # recovery depends on PostgreSQL being there at a certain moment.
    build = partial(
        build_pool,
        settings,
        name="clerkwork-api",
        max_size=settings.api_pool_max,
        resets=False,  # nothing but single SELECTs
        session={"statement_timeout": f"{settings.api_query_s * 1000:.0f}ms", **PLANNER},
    )
    pool = build(min_size=settings.api_pool_min)
    try:
        await pool
    except DRIVER_ERRORS as error:
        log.warning("connections_not_opened", reason=name_failure(error))
        pool = build(min_size=0)
        await pool
    return pool


async def _close_pool(pool: Connections) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def _open_tail(
    settings: ApiSettings, metrics: ApiMetrics, registry: CollectorRegistry
) -> Callable[[web.Application], AsyncIterator[None]]:
    limits = StreamLimits(
        heartbeat_s=settings.api_stream_heartbeat_s,
        patience_s=settings.api_stream_patience_s,
        buffer=settings.api_stream_buffer,
        outage_s=settings.api_stream_outage_s,
    )
    streams = Places(
        settings.api_streams,
        each=settings.api_streams_per_user,
        enough="TOO_MANY_STREAMS",
        full="STREAMS_EXHAUSTED",
    )
    waits = Places(
        settings.api_version_waits,
        each=WAITS_PER_USER,
        enough="TOO_MANY_WAITS",
        full="WAITS_EXHAUSTED",
    )

    async def tail_context(app: web.Application) -> AsyncIterator[None]:
        # All streams together need one connection, and no request has to wait for it.
        pool = build_pool(settings, name="clerkwork-api-tail", min_size=0, max_size=1)
        await pool
        tail = Tail(pool, check_s=limits.heartbeat_s)
        app[STREAMS] = Streams(
            pool=app[POOL], tail=tail, metrics=metrics, limits=limits, places=streams
        )
        app[WAITS] = Waits(app[POOL], tail=tail, metrics=metrics, places=waits)
        following = asyncio.create_task(tail.run())
        async with open_cache(app, settings, tail=tail, registry=registry):
            yield
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await app[WAITS].close()
        await _close_pool(pool)

    return tail_context


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].close()


def _ready_checks(app: web.Application) -> Mapping[str, Check]:
    async def database() -> str:
        try:
            return await check_database(app[POOL])
        except DatabaseUnavailableError:
            raise CheckFailedError("PostgreSQL does not answer") from None

    async def keys() -> None:
        try:
            await app[KEYS].check()
        except KeysUnavailableError:
            raise CheckFailedError("Clerk's keys cannot be fetched") from None

    return {"database": database, "keys": keys}
