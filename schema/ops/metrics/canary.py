"""What the canary counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.ops.metrics.declare import SECONDS, Declare
from schema.ops.metrics.promises import Promise

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


CANARY_STATIONS: Final = ("accepted", "topic", "api")
"""Where a canary is seen: answered by ingest, on the change topic, in the API."""


class CanaryMetrics:
    """What the canary counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declare = Declare(registry)
        self.flights = declare.counter(
            "clerkwork_canary_flights_total",
            "Canaries that were sent the whole way.",
            unit="canaries",
        )
        self.lost = declare.counter(
            "clerkwork_canary_lost_total",
            "Canaries that did not arrive in time, by the first place where they were missed.",
            unit="canaries",
            labels={"at": CANARY_STATIONS},
            guards=Promise.SAFE,
            beside="clerkwork_canary_flights_total",
        )
        self.seconds = declare.histogram(
            "clerkwork_canary_seconds",
            "From the post of a canary until it was seen there.",
            labels={"at": CANARY_STATIONS},
            buckets=(*SECONDS, 60.0, 300.0),
        )
        self.seen = declare.gauge(
            "clerkwork_canary_seen_timestamp_seconds",
            "When a canary was last seen there, 0 before the first.",
            labels={"at": CANARY_STATIONS},
            guards=Promise.SAFE,
        )
