"""Measuring: each request once in the metrics and once in the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from schema.http.ready import Ready
from schema.http.tokens.callers import CALLER
from schema.ops.probes import PATHS

if TYPE_CHECKING:
    from schema.ops.metrics import HttpMetrics
    from schema.ops.metrics.durations import Series

log = structlog.get_logger(__name__)

UNMATCHED: Final = "unmatched"
"""What the route of a request is called that goes to none."""


def name_route(resource: web.AbstractResource | None) -> str:
    """Return the template of a route's resource, `/v1/users/{id}`, or UNMATCHED: never an id."""
    return UNMATCHED if resource is None else resource.canonical


class Meter:
    """Observes the duration and outcome of one route's requests; errors must be answers by then."""

    def __init__(self, route: str, metrics: HttpMetrics, *, told: bool = False) -> None:
        """Leave out the line where the route is `told`: it writes one of its own."""
        self._route = route
        self._metrics = metrics
        self._told = told
        self._quiet = route in PATHS  # their lines would drown the others
        self._series: dict[int, Series] = {}

    def note(self, request: web.Request, response: web.StreamResponse, *, seconds: float) -> None:
        """Note that `request` was answered."""
        status = response.status
        whole = isinstance(response, (Ready, web.Response))  # its own class is found at once
        # A stream takes as long as it wants.
        if whole or response.content_type != "text/event-stream":
            series = self._series.get(status // 100) or self._begin(status // 100)
            series.observe(seconds)
        if self._told:
            return
        caller = request.get(CALLER)
        write = log.debug if self._quiet else log.info
        write(
            "request_served",
            method=request.method,
            route=self._route,
            status=status,
            duration_ms=round(seconds * 1000, 2),
            user_id=caller.clerk_id if caller else None,
        )

    def _begin(self, status_class: int) -> Series:
        series = self._metrics.requests.labels(self._route, f"{status_class}xx")
        self._series[status_class] = series
        return series
