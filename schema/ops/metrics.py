"""The metric catalogue: every metric, its labels and its meaning, declared once.

Names follow Prometheus' rules (base units, counters end in `_total`); label sets are closed, so
the first scrape already shows every series at 0. https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from schema.kafka.topics import CHANGES
from schema.postgres.rows import EventsOutcome, SessionsStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

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

OUTCOMES: Final[tuple[str, ...]] = get_args(EventsOutcome)
"""What can become of an event: the outcomes that the ledger knows."""

SESSION_STATUSES: Final[tuple[str, ...]] = get_args(SessionsStatus)
"""Every status that a session can have."""

WAIT_KINDS: Final = ("outage", "conflict", "configuration", "line_stopped")
"""What can make a batch wait in place."""

CANARY_STATIONS: Final = ("accepted", "topic", "api")
"""Where a canary is seen: answered by ingest, on the change topic, in the API."""

TERM_ENDS: Final = ("postgres", "kafka", "fenced", "bug")
"""What can end a relay's term, other than the wish to stop."""

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0)


def new_registry() -> CollectorRegistry:
    """Return a registry that already knows the process: memory, CPU, open files, version."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


MetricT = TypeVar("MetricT", Counter, Gauge)


def _start_at_zero(metric: MetricT, values: Iterable[str]) -> MetricT:
    for value in values:
        metric.labels(value)
    return metric


class IngestMetrics:
    """What ingest counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.webhooks = _start_at_zero(
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
            buckets=_SECONDS,
            registry=registry,
        )
        self.breaker_open = Gauge(
            "clerkwork_publish_breaker_open",
            "1 while publishing is refused because the broker did not acknowledge.",
            registry=registry,
        )


class _EventMetrics:
    """What becomes of events, and how soon."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = _start_at_zero(
            Counter(
                "clerkwork_events_total",
                "Events by what became of them, deliveries counted each.",
                ["outcome"],
                registry=registry,
            ),
            OUTCOMES,
        )
        self.batch_events = Histogram(
            "clerkwork_batch_events",
            "Events in a batch.",
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000),
            registry=registry,
        )
        self.apply_seconds = Histogram(
            "clerkwork_apply_seconds",
            "From the start of a batch's transaction to its commit.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.freshness_seconds = Histogram(
            "clerkwork_freshness_seconds",
            "From ingest's acceptance of an event to the commit of its rows.",
            buckets=(*_SECONDS, 60.0, 300.0, 1800.0),
            registry=registry,
        )
        self.indexed = Counter(
            "clerkwork_dead_letters_indexed_total",
            "Dead letters that were put into the index.",
            registry=registry,
        )


class _WaitMetrics:
    """What keeps events from being dealt with."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.waiting = Gauge(
            "clerkwork_worker_waiting",
            "Batches that wait in place for PostgreSQL, Kafka or an operator.",
            registry=registry,
        )
        self.waits = _start_at_zero(
            Counter(
                "clerkwork_worker_waits_total",
                "Attempts on a batch that ended in `not now`, by what was in the way.",
                ["kind"],
                registry=registry,
            ),
            WAIT_KINDS,
        )
        self.line_stopped = Gauge(
            "clerkwork_line_stopped",
            "Batches that too many rejects have stopped, until an operator releases them.",
            registry=registry,
        )
        self.bugs = Counter(
            "clerkwork_worker_bugs_total",
            "Attempts on a batch that ended in an error nobody foresaw.",
            registry=registry,
        )


class _PromiseMetrics:
    """What was looked at, and beside it what should not be there."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.offsets_checked = Counter(
            "clerkwork_offsets_checked_total",
            "Records looked at for whether any before them was skipped.",
            registry=registry,
        )
        self.offsets_skipped = Counter(
            "clerkwork_offsets_skipped_total",
            "Offsets between what was applied and what came next: none may be.",
            registry=registry,
        )
        self.order_checked = Counter(
            "clerkwork_order_checked_total",
            "Records looked at for whether they come in the order of their partition.",
            registry=registry,
        )
        self.order_violations = Counter(
            "clerkwork_order_violations_total",
            "Records that came after a later one of their partition: none may.",
            registry=registry,
        )
        self.uncommitted = Gauge(
            "clerkwork_uncommitted_events",
            "Records that are dealt with and whose offsets the broker has not confirmed.",
            ["group"],
            registry=registry,
        )
        self.committed = Counter(
            "clerkwork_offset_commits_total",
            "Commits of consumer offsets that the broker confirmed.",
            registry=registry,
        )


class _TableMetrics:
    """What is in the database; every worker tells the whole: max over them, not sum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.sessions = _start_at_zero(
            Gauge(
                "clerkwork_sessions",
                "Sessions in the database by status, as counted each minute by every worker.",
                ["status"],
                registry=registry,
            ),
            SESSION_STATUSES,
        )
        self.users_held_back = Gauge(
            "clerkwork_users_held_back",
            "Deleted users who can still be restored, as counted each minute by every worker.",
            registry=registry,
        )


class WorkerMetrics(_EventMetrics, _WaitMetrics, _PromiseMetrics, _TableMetrics):
    """What a worker counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        for part in (_EventMetrics, _WaitMetrics, _PromiseMetrics, _TableMetrics):
            part.__init__(self, registry)


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
        self.published = _start_at_zero(
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
            buckets=(*_SECONDS, 60.0, 300.0, 1800.0),
            registry=registry,
        )
        self.active = Gauge(
            "clerkwork_relay_active", "1 for the relay that publishes.", registry=registry
        )
        self.terms_ended = _start_at_zero(
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


class ApiMetrics:
    """What the API counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Histogram(
            "clerkwork_http_request_seconds",
            "Requests by route and status class.",
            ["route", "status"],
            buckets=_SECONDS,
            registry=registry,
        )


class CanaryMetrics:
    """What the canary counts."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.flights = Counter(
            "clerkwork_canary_flights_total",
            "Canaries that were sent the whole way.",
            registry=registry,
        )
        self.lost = _start_at_zero(
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
            buckets=(*_SECONDS, 60.0, 300.0),
            registry=registry,
        )
        self.seen = _start_at_zero(
            Gauge(
                "clerkwork_canary_seen_timestamp_seconds",
                "When a canary was last seen there, 0 before the first.",
                ["at"],
                registry=registry,
            ),
            CANARY_STATIONS,
        )
