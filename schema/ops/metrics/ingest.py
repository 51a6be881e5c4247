"""What ingest counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Histogram

from schema.ops.metrics.breakers import new_breaker_gauge
from schema.ops.metrics.series import SECONDS, start_at_zero

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


ANSWERS: Final = (
    "accepted",
    "quarantined",
    "missing_header",
    "malformed_signature",
    "invalid_payload",
    "invalid_signature",
    "stale_timestamp",
    "payload_too_large",
    "unsupported_media_type",
    "rate_limited",
    "request_timeout",
    "broker_unavailable",
)
"""How a webhook can be answered."""


class IngestMetrics:
    """What ingest counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.webhooks = start_at_zero(
            Counter(
                "clerkwork_webhooks_total",
                "Webhooks by how they were answered.",
                ["answer"],
                registry=registry,
            ),
            ANSWERS,
        )
        self.publish_seconds = Histogram(
            "clerkwork_publish_seconds",
            "From handing a record to the producer until the broker acknowledged it.",
            buckets=SECONDS,
            registry=registry,
        )
        self.breaker_open = new_breaker_gauge(registry, "kafka")
