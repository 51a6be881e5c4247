"""What ingest counts."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter

from schema.kafka.commands import COMMAND_TYPES
from schema.ops.metrics.breakers import new_breaker_gauge
from schema.ops.metrics.durations import Durations
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
    "bad_request",
    "request_timeout",
    "broker_unavailable",
)
"""How a webhook can be answered."""

STORED: Final = ("accepted", "quarantined")
"""Those of ANSWERS that say that it is kept."""

COMMAND_ANSWERS: Final = (
    "accepted",
    "repeated",
    "unauthenticated",
    "users_only",
    "unknown_parameter",
    "invalid_idempotency_key",
    "idempotency_key_reused",
    "invalid_id",
    "not_the_author",
    "unknown_data_key",
    "data_key_read_only",
    "invalid_body",
    "bad_request",
    "request_timeout",
    "payload_too_large",
    "unsupported_media_type",
    "keys_unavailable",
    "broker_unavailable",
)
"""How a command can be answered."""


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
        self.stored = {answer: self.webhooks.labels(answer) for answer in STORED}
        """Those of `webhooks` that nearly all add to, found already."""
        self.commands = Counter(
            "clerkwork_commands_total",
            "Commands by type and by how they were answered.",
            ["type", "answer"],
            registry=registry,
        )
        for kind, answer in product(COMMAND_TYPES, COMMAND_ANSWERS):
            self.commands.labels(kind, answer)
        self.publish_seconds = Durations(
            "clerkwork_publish_seconds",
            "From handing a record to the producer until the broker acknowledged it.",
            [],
            buckets=SECONDS,
            registry=registry,
        ).labels()
        self.breaker_open = new_breaker_gauge(registry, "kafka", "jwks")
