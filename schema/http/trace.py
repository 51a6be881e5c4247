"""Trace requests: a span around all that a request meets, named by its route, never by its URL.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from schema.http.measure import name_route
from schema.ops.probes import PATHS
from schema.ops.tracing.parents import HEADER

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler, Middleware

    from schema.ops.tracing.tracer import Tracer


def trace_requests(app: web.Application, tracer: Tracer | None) -> None:
    """Have `app` trace every request but probes; to be called first, so that it ends last.

    Where there is no tracer, requests do not even meet this.
    """
    if tracer is None:
        return
    app.middlewares.append(_tracing(tracer))

    async def run_tracer(_app: web.Application) -> AsyncIterator[None]:
        async with tracer.running():
            yield

    app.cleanup_ctx.append(run_tracer)


def _tracing(tracer: Tracer) -> Middleware:
    from schema.ops.tracing.tracer import SpanKind, fail  # noqa: PLC0415  # only where traced

    @web.middleware
    async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Go on with the trace that a caller has begun, or begin one."""
        route = name_route(request.match_info.route.resource)
        if route in PATHS:
            return await handler(request)
        with tracer.span(
            f"{request.method} {route}",
            kind=SpanKind.SERVER,
            parent=request.headers.get(HEADER),
            attributes={"http.request.method": request.method, "http.route": route},
        ) as span:
            response = await handler(request)
            span.set_attribute("http.response.status_code", response.status)
            if response.status >= 500:
                fail(span, str(response.status))
            return response

    return trace
