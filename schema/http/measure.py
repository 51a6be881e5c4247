"""Measuring: each request once in the metrics and once in the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from schema.http.tokens.callers import CALLER

if TYPE_CHECKING:
    from collections.abc import Collection

    from aiohttp.typedefs import Handler, Middleware

    from schema.ops.metrics import HttpMetrics

log = structlog.get_logger(__name__)

_PROBES: Final = frozenset({"/livez", "/readyz", "/metrics"})
"""Asked every few seconds by machines; their lines would drown the others."""


def route_of(request: web.Request) -> str:
    """Return the template of the route, `/v1/users/{id}`, or `unmatched`: never an id."""
    resource = request.match_info.route.resource
    return "unmatched" if resource is None else resource.canonical


def measure_requests(metrics: HttpMetrics, *, told: Collection[str] = ()) -> Middleware:
    """Return the middleware that observes duration and outcome; errors must be answers by then.

    Routes in `told` write a line of their own for each request, which is enough.
    """

    @web.middleware
    async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        response = await handler(request)
        seconds = time.perf_counter() - started
        route = route_of(request)
        # A stream takes as long as it wants.
        if isinstance(response, web.Response) or response.content_type != "text/event-stream":
            metrics.requests.labels(route, f"{response.status // 100}xx").observe(seconds)
        if route in told:
            return response
        caller = request.get(CALLER)
        write = log.debug if route in _PROBES else log.info
        write(
            "request_served",
            method=request.method,
            route=route,
            status=response.status,
            duration_ms=round(seconds * 1000, 2),
            user_id=caller.clerk_id if caller else None,
        )
        return response

    return measure
