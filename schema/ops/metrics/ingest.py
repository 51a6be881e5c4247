"""What ingest counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.kafka.commands import COMMAND_TYPES
from schema.ops.metrics.breakers import new_breaker_gauge
from schema.ops.metrics.declare import Declare
from schema.ops.metrics.promises import Promise

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
        declare = Declare(registry)
        self.webhooks = declare.counter(
            "clerkwork_webhooks_total",
            "Webhooks by how they were answered.",
            unit="webhooks",
            labels={"answer": ANSWERS},
            guards=Promise.ONLY_CLERK,
        )
        self.stored = {answer: self.webhooks.labels(answer) for answer in STORED}
        """Those of `webhooks` that nearly all add to, found already."""
        self.last_webhook = declare.gauge(
            "clerkwork_webhook_last_timestamp_seconds",
            "When a genuine webhook was last kept, 0 before the first.",
            guards=Promise.KEPT,
        )
        self.commands = declare.counter(
            "clerkwork_commands_total",
            "Commands by type and by how they were answered.",
            unit="commands",
            labels={"type": COMMAND_TYPES, "answer": COMMAND_ANSWERS},
            guards=Promise.COMMANDS,
        )
        self.publish_seconds = declare.durations(
            "clerkwork_publish_seconds",
            "From handing a record to the producer until the broker acknowledged it.",
            guards=Promise.SAFE,
        ).labels()
        self.breaker_open = new_breaker_gauge(registry, "kafka", "jwks")
