"""What relays count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from schema.kafka.topics import CHANGES
from schema.ops.metrics.series import SECONDS, start_at_zero

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


TERM_ENDS: Final = ("postgres", "kafka", "fenced", "bug")
"""What can end a relay's term, other than the wish to stop."""


class _LagMetrics:
    """How far the topics are behind; every relay tells, active or not: max over them, not sum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.lag_seconds = Gauge(
            "clerkwork_relay_lag_seconds",
            "How long the oldest change that is not on its topic has been waiting; 0 for none.",
            registry=registry,
        )
        self.pending = Gauge(
            "clerkwork_relay_pending_changes",
            "Changes that are not on their topics yet, counted up to 100 000.",
            registry=registry,
        )


class RelayMetrics(_LagMetrics):
    """What a relay counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        super().__init__(registry)
        self.published = start_at_zero(
            Counter(
                "clerkwork_changes_published_total",
                "Changes that Kafka has acknowledged, by topic.",
                ["topic"],
                registry=registry,
            ),
            (topic.name for topic in CHANGES),
        )
        self.publish_seconds = Histogram(
            "clerkwork_change_publish_seconds",
            "From telling a change, just before its commit, to Kafka's acknowledgement.",
            buckets=(*SECONDS, 60.0, 300.0, 1800.0),
            registry=registry,
        )
        self.active = Gauge(
            "clerkwork_relay_active", "1 for the relay that publishes.", registry=registry
        )
        self.terms_ended = start_at_zero(
            Counter(
                "clerkwork_relay_terms_ended_total",
                "Terms as the active relay, or attempts at one, by what ended them.",
                ["kind"],
                registry=registry,
            ),
            TERM_ENDS,
        )
        self.order_checked = Counter(
            "clerkwork_change_order_checked_total",
            "Changes looked at for whether they come after all that were published before.",
            registry=registry,
        )
        self.order_violations = Counter(
            "clerkwork_change_order_violations_total",
            "Changes that would have come after a later one: none may.",
            registry=registry,
        )
