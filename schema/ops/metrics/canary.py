"""What the canary counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from schema.ops.metrics.series import SECONDS, start_at_zero

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


CANARY_STATIONS: Final = ("accepted", "topic", "api")
"""Where a canary is seen: answered by ingest, on the change topic, in the API."""


class CanaryMetrics:
    """What the canary counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flights = Counter(
            "clerkwork_canary_flights_total",
            "Canaries that were sent the whole way.",
            registry=registry,
        )
        self.lost = start_at_zero(
            Counter(
                "clerkwork_canary_lost_total",
                "Canaries that did not arrive in time, by the first place where they were missed.",
                ["at"],
                registry=registry,
            ),
            CANARY_STATIONS,
        )
        self.seconds = Histogram(
            "clerkwork_canary_seconds",
            "From the post of a canary until it was seen there.",
            ["at"],
            buckets=(*SECONDS, 60.0, 300.0),
            registry=registry,
        )
        self.seen = start_at_zero(
            Gauge(
                "clerkwork_canary_seen_timestamp_seconds",
                "When a canary was last seen there, 0 before the first.",
                ["at"],
                registry=registry,
            ),
            CANARY_STATIONS,
        )
