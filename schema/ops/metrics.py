"""The metric catalogue: every metric, its labels and its meaning, declared once.

Names follow Prometheus' rules (base units, counters end in `_total`); label sets are closed, so
the first scrape already shows every series at 0. https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

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


STREAM_ENDS: Final = (
    "client_gone",
    "token_expired",
    "user_banned",
    "user_deleted",
    "user_deprovisioned",
    "role_changed",
    "slow_client",
    "cursor_expired",
    "invalid_cursor",
    "database_unavailable",
    "shutting_down",
    "internal_error",
)
"""Why a stream of changes can end."""

WAIT_ENDS: Final = ("reached", "not_reached")
"""How waiting for a version of a user can end."""


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
        self.streams = Gauge(
            "clerkwork_change_streams",
            "Streams of changes that are open.",
            registry=registry,
        )
        self.streams_ended = _start_at_zero(
            Counter(
                "clerkwork_change_streams_ended_total",
                "Streams of changes by why they ended.",
                ["reason"],
                registry=registry,
            ),
            STREAM_ENDS,
        )
        self.stream_events = Counter(
            "clerkwork_change_stream_events_total",
            "Changes that were sent, to each stream counted.",
            registry=registry,
        )
        self.version_waits = _start_at_zero(
            Counter(
                "clerkwork_version_waits_total",
                "Requests that waited for a version of a user, by how that ended.",
                ["outcome"],
                registry=registry,
            ),
            WAIT_ENDS,
        )
