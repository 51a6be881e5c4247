"""What relays count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schema.kafka.topics import CHANGES
from schema.ops.metrics.declare import SECONDS, Declare
from schema.ops.metrics.promises import Promise

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


TERM_ENDS: Final = ("postgres", "kafka", "fenced", "bug")
"""What can end a relay's term, other than the wish to stop."""


class _LagMetrics:
    """How far the topics are behind; every relay tells, active or not: max over them, not sum."""

    def __init__(self, declare: Declare) -> None:
        self.lag_seconds = declare.gauge(
            "clerkwork_relay_lag_seconds",
            "How long the oldest change that is not on its topic has been waiting; 0 for none.",
            guards=Promise.TOLD,
        )
        self.pending = declare.gauge(
            "clerkwork_relay_pending_changes",
            "Changes that are not on their topics yet, counted up to 100 000.",
            unit="changes",
        )


class _OrderMetrics:
    """What was looked at, and beside it what should not be there."""

    def __init__(self, declare: Declare) -> None:
        self.order_checked = declare.counter(
            "clerkwork_change_order_checked_total",
            "Changes looked at for whether they come after all that were published before.",
            unit="changes",
        )
        self.order_violations = declare.counter(
            "clerkwork_change_order_violations_total",
            "Changes that would have come after a later one: none may.",
            unit="changes",
            guards=Promise.TOLD,
            beside="clerkwork_change_order_checked_total",
        )


class RelayMetrics(_LagMetrics, _OrderMetrics):
    """What a relay counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        declare = Declare(registry)
        _LagMetrics.__init__(self, declare)
        _OrderMetrics.__init__(self, declare)
        self.published = declare.counter(
            "clerkwork_changes_published_total",
            "Changes that Kafka has acknowledged, by topic.",
            unit="changes",
            labels={"topic": tuple(topic.name for topic in CHANGES)},
        )
        self.publish_seconds = declare.histogram(
            "clerkwork_change_publish_seconds",
            "From telling a change, just before its commit, to Kafka's acknowledgement.",
            buckets=(*SECONDS, 60.0, 300.0, 1800.0),
            guards=Promise.TOLD,
        )
        self.active = declare.gauge(
            "clerkwork_relay_active",
            "1 for the relay that publishes.",
            unit="0 or 1",
            guards=Promise.TOLD,
        )
        self.terms_ended = declare.counter(
            "clerkwork_relay_terms_ended_total",
            "Terms as the active relay, or attempts at one, by what ended them.",
            unit="terms",
            labels={"kind": TERM_ENDS},
        )
