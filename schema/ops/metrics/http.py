"""What every HTTP service counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from schema.ops.metrics.durations import Durations
from schema.ops.metrics.series import SECONDS, start_at_zero

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


class HttpMetrics:
    """What every HTTP service counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Durations(
            "clerkwork_http_request_seconds",
            "Requests by route and status class.",
            ["route", "status"],
            buckets=SECONDS,
            registry=registry,
        )
        self.connections = Gauge(
            "clerkwork_http_connections",
            "Connections that are open.",
            registry=registry,
        )
        self.refusals = start_at_zero(
            Counter(
                "clerkwork_http_refusals_total",
                "Connections and requests that were cut off or turned away unread, by reason.",
                ["reason"],
                registry=registry,
            ),
            REFUSALS,
        )
        self.limit_decisions = Counter(
            "clerkwork_rate_limit_decisions_total",
            "Decisions of rate limits by the limit's name and outcome.",
            ["limit", "outcome"],
            registry=registry,
        )
        self.limit_failures = Counter(
            "clerkwork_rate_limit_failures_total",
            "Times that Redis did not count for a rate limit.",
            registry=registry,
        )

    def begin_limits(self, names: Iterable[str]) -> None:
        """Show the decisions of these limits from the start."""
        for name in names:
            for outcome in DECISIONS:
                self.limit_decisions.labels(name, outcome)
