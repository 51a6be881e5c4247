"""The desk's composition root: settings in, an application out."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from deploy.desk.carry import CARRIER, Carrier
from deploy.desk.database import DATABASE, opened_database
from deploy.desk.kafka import READER, Reader
from deploy.desk.pipeline import WATCH, Watch
from deploy.desk.routes import ENDPOINTS
from deploy.desk.sessions import SESSIONS, Sessions
from deploy.desk.show import PAGES, Pages
from deploy.desk.sign_in import ORIGIN
from deploy.desk.stand import guard, show_errors
from schema.http.endpoints import Answer, Endpoint, add_endpoints
from schema.http.stack import put_stack
from schema.http.tokens.keys import KeysUnavailableError
from schema.http.tokens.sources import KEYS, believe_tokens
from schema.http.trace import trace_requests
from schema.ops.metrics import DeskMetrics, HttpMetrics, new_registry
from schema.ops.probes import CheckFailedError, add_probes
from schema.ops.share import share_metrics
from schema.ops.tracing.open import open_tracer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from deploy.desk.settings import BrowserDeskSettings
    from schema.ops.probes import Check

MOST_BYTES: Final = 4 * 1024 * 1024
"""No form is longer: the largest webhook, every character of it escaped."""


def build_desk(settings: BrowserDeskSettings) -> web.Application:
    """Return the desk, not started yet. It starts without PostgreSQL and Kafka, and says so."""
    registry = new_registry()
    app = web.Application(client_max_size=MOST_BYTES)
    trace_requests(app, open_tracer(settings, service="clerkwork-desk"))
    app.middlewares.append(show_errors)
    pages = app[PAGES] = Pages()
    app[SESSIONS] = Sessions()
    app[ORIGIN] = settings.desk_origin
    breaker = DeskMetrics(registry).breaker_open
    believe_tokens(app, settings, breaker=breaker.labels("jwks"))
    app.cleanup_ctx.append(_open(settings))
    static = Endpoint(
        method="GET",
        path="/static/{name}",
        name="serve_static",
        summary="A style or a script",
        answers={200: Answer(description="It", content_type="text/css")},
        signed_in=False,
        handler=pages.serve_static,
    )
    add_endpoints(app, (*ENDPOINTS, static))
    put_stack(app, settings, metrics=HttpMetrics(registry), limits=settings.desk_rate_limits)
    app.middlewares.append(guard(origin=settings.desk_origin))
    add_probes(
        app,
        registry=registry,
        live={},  # that the event loop answers is all there is to live
        ready=_ready_checks(app),
        share=share_metrics(settings, "desk", registry),
    )
    return app


def _open(settings: BrowserDeskSettings) -> Callable[[web.Application], AsyncIterator[None]]:
    async def servers_context(app: web.Application) -> AsyncIterator[None]:
        async with opened_database(settings) as database:
            reader = app[READER] = Reader(settings)
            carrier = app[CARRIER] = Carrier(settings)
            watch = app[WATCH] = Watch(database, reader, settings.targets)
            app[DATABASE] = database
            watching = asyncio.create_task(watch.keep_history())
            yield
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
            await carrier.close()
            await reader.close()

    return servers_context


def _ready_checks(app: web.Application) -> Mapping[str, Check]:
    async def database() -> None:
        await app[DATABASE].check()

    async def keys() -> None:
        try:
            await app[KEYS].check()
        except KeysUnavailableError:
            raise CheckFailedError("Clerk's keys cannot be fetched") from None

    # Without Kafka it shows all but payloads: that makes it no worse a desk to come to.
    return {"database": database, "keys": keys}
