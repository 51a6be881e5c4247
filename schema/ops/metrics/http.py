"""What every HTTP service counts."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from schema.ops.metrics.declare import Bound, Declare
from schema.ops.metrics.promises import Promise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import CollectorRegistry

REFUSALS: Final = (
    "unreadable",
    "head_too_large",
    "head_timeout",
    "body_timeout",
    "expectation",
    "connections",
    "connections_of_source",
    "gave_way",
)
"""Why a connection can end before a handler has seen its request, or has all of it."""

DECISIONS: Final = ("allowed", "limited", "unchecked")
"""What a rate limit can decide; unchecked: Redis was away."""

STATUS_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")
"""Of the status of an answer its first digit."""


class HttpMetrics:
    """What every HTTP service counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declare = Declare(registry)
        self.requests = declare.durations(
            "clerkwork_http_request_seconds",
            "Requests by route and status class.",
            labels={
                "route": Bound("a route's template, such as `/v1/users/{id}`, or `unmatched`", 48),
                "status": STATUS_CLASSES,
            },
            guards=Promise.DOCUMENTED,
        )
        self.connections = declare.gauge(
            "clerkwork_http_connections", "Connections that are open.", unit="connections"
        )
        self.refusals = declare.counter(
            "clerkwork_http_refusals_total",
            "Connections and requests that were cut off or turned away unread, by reason.",
            unit="connections and requests",
            labels={"reason": REFUSALS},
        )
        self.limit_decisions = declare.counter(
            "clerkwork_rate_limit_decisions_total",
            "Decisions of rate limits by the limit's name and outcome.",
            unit="requests",
            labels={"limit": Bound("a limit that the settings name", 48), "outcome": DECISIONS},
        )
        self.limit_failures = declare.counter(
            "clerkwork_rate_limit_failures_total",
            "Times that Redis did not count for a rate limit.",
            unit="requests",
        )

    def begin_limits(self, names: Iterable[str]) -> None:
        """Show the decisions of these limits from the start."""
        for name, outcome in product(names, DECISIONS):
            self.limit_decisions.labels(name, outcome)
