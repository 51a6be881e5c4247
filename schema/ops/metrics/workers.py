"""What workers count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, get_args

from prometheus_client import Counter, Gauge, Histogram

from schema.ops.metrics.series import SECONDS, start_at_zero
from schema.postgres.rows import EventsOutcome, SessionsStatus

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


OUTCOMES: Final[tuple[str, ...]] = get_args(EventsOutcome)
"""What can become of an event: the outcomes that the ledger knows."""

SESSION_STATUSES: Final[tuple[str, ...]] = get_args(SessionsStatus)
"""Every status that a session can have."""

WAIT_KINDS: Final = ("outage", "conflict", "configuration", "line_stopped")
"""What can make a batch wait in place."""


class _EventMetrics:
    """What becomes of events, and how soon."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = start_at_zero(
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
            buckets=SECONDS,
            registry=registry,
        )
        self.freshness_seconds = Histogram(
            "clerkwork_freshness_seconds",
            "From ingest's acceptance of an event to the commit of its rows.",
            buckets=(*SECONDS, 60.0, 300.0, 1800.0),
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
        self.waits = start_at_zero(
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
        self.sessions = start_at_zero(
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
